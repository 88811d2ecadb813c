fn main() {}

fn read(credential: keyhold_unseal::Credential) {
    let _ = credential.padded;
}
