function f() {
    throw new Error('wrong');
}
f();
