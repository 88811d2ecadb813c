fn main() {}

fn compare(left: keyhold_unseal::Credential, right: keyhold_unseal::Credential) -> bool {
    left == right
}
