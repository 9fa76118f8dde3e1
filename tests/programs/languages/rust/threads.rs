use std::sync::{Arc, Mutex};

fn main() {
    let sum = Arc::new(Mutex::new(0));
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let sum = sum.clone();
            std::thread::spawn(move || *sum.lock().unwrap() += number * number)
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    println!("{}", sum.lock().unwrap());
}
