fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    println!("{}", given.join("|"));
}
