fn main() {}

fn compare(left: keyhold_seal::PlainSecret, right: keyhold_seal::PlainSecret) -> bool {
    left == right
}
