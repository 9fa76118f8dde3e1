fn main() {
    panic!("broken");
}
