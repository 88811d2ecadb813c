use keyhold_unseal::capability::PassphraseAccess;

fn main() {}

fn read(credential: &keyhold_unseal::Credential) -> Option<&str> {
    credential.passphrase(&PassphraseAccess { _private: () })
}
