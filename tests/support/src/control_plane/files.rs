//! The files that a control plane is started with.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

use super::{ADMIN, Result, write};
use crate::scratch::ScratchDir;

/// kube-apiserver makes a certificate under this name, together with the authority that signed it.
pub(super) const CA: &str = "apiserver.crt";
pub(super) const ADMIN_KUBECONFIG: &str = "admin.kubeconfig";
pub(super) const SERVICE_ACCOUNT_KEY: &str = "service-account.key";
pub(super) const SERVICE_ACCOUNT_PUBLIC_KEY: &str = "service-account.pub";
pub(super) const TOKENS: &str = "tokens.csv";
pub(super) const AUDIT_POLICY: &str = "audit-policy.yaml";
pub(super) const AUDIT_LOG: &str = "audit.log";

const AUDIT_POLICY_TEXT: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

pub(super) fn write_all(scratch: &ScratchDir, url: &str, admin_token: &str) -> Result<()> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    write(&scratch.join(SERVICE_ACCOUNT_KEY), &key.serialize_pem())?;
    write(&scratch.join(SERVICE_ACCOUNT_PUBLIC_KEY), &key.public_key_pem())?;
    write(&scratch.join(TOKENS), &format!("{admin_token},{ADMIN},{ADMIN},\"system:masters\"\n"))?;
    write(&scratch.join(AUDIT_POLICY), AUDIT_POLICY_TEXT)?;
    let admin = kubeconfig(url, &scratch.join(CA), ADMIN, admin_token, "default");
    write(&scratch.join(ADMIN_KUBECONFIG), &admin)
}

pub(super) fn kubeconfig(url: &str, ca: &Path, user: &str, token: &str, namespace: &str) -> String {
    // A JSON string is a YAML string, whatever the path holds.
    let ca = serde_json::Value::from(ca.to_string_lossy());
    format!(
        "\
apiVersion: v1
kind: Config
clusters:
- name: test
  cluster: {{server: \"{url}\", certificate-authority: {ca}}}
users:
- name: {user}
  user: {{token: \"{token}\"}}
contexts:
- name: test
  context: {{cluster: test, user: {user}, namespace: {namespace}}}
current-context: test
"
    )
}

/// 128 bits in hexadecimal.
pub(super) fn random_token() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
