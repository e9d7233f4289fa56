//! What the cluster does to an operator that did nothing wrong: no CRD yet, and a token that is worth nothing any more.

use crate::Parts;
use serde_json::{Value, json};
use std::{fs, time::Duration};
use test_support::{
    case::{Case, SOON},
    stack::{self, OPERATOR as ACCOUNT},
    wait,
};

const USER: &str = "system:serviceaccount:clickup-operator:clickup-operator";

#[tokio::test(flavor = "multi_thread")]
async fn without_the_crd_it_waits_says_so_once_and_goes_on_when_it_comes() {
    let parts = Parts::start().await;
    let says_so = |log: &str| log.matches("apply the CRD").count();
    let install = async {
        let attempts = || async {
            let events = parts.control_plane.audit_events().map_err(|e| e.to_string())?;
            let ours = events.iter().filter(|e| e.user == USER && e.resource == "clickupconnections");
            let attempts = ours.filter(|e| e.code == Some(404)).count();
            if attempts >= 3 { Ok(()) } else { Err(format!("{attempts} attempts")) }
        };
        wait::until(SOON, "some attempts to watch what is not there", attempts).await.unwrap();
        let log = fs::read_to_string(parts.control_plane.scratch().join("operator.log")).unwrap();
        assert_eq!(says_so(&log), 1, "{log}");
        stack::install_crd(&parts.control_plane, &parts.checkout).await.unwrap();
    };
    // It is ready only once the CRD is there.
    let (operator, ()) = tokio::join!(parts.operator(&parts.kubeconfig), install);
    let case = Case::new("late-crd", &parts.control_plane, &parts.simulator).await;
    case.verified("bot", json!({})).await;
    assert_eq!(says_so(&operator.process().log()), 1);
    operator.stop().await.unwrap();
}

#[tokio::main(flavor = "multi_thread")]
pub(crate) async fn a_token_that_was_replaced_in_its_file_is_used() {
    let parts = Parts::start().await;
    stack::install_crd(&parts.control_plane, &parts.checkout).await.unwrap();
    let scratch = parts.control_plane.scratch();
    let (kubeconfig, token_file) = (scratch.join("with-token-file"), scratch.join("token"));
    let mut config: Value = serde_saphyr::from_str(&fs::read_to_string(&parts.kubeconfig).unwrap()).unwrap();
    let user = &mut config["users"][0]["user"];
    fs::write(&token_file, user["token"].as_str().unwrap()).unwrap();
    *user = json!({"tokenFile": token_file});
    fs::write(&kubeconfig, config.to_string()).unwrap();
    let operator = parts.operator(&kubeconfig).await;
    let case = Case::new("token-file", &parts.control_plane, &parts.simulator).await;
    case.verified("before", json!({})).await;

    // A token is worth nothing once its account is gone, also if there is another of the same name.
    for verb in ["delete", "create"] {
        let command = [verb, "serviceaccount", ACCOUNT, "--namespace", ACCOUNT];
        parts.control_plane.run_kubectl(command).await.unwrap();
    }
    // The API server remembers for a while that a token was good.
    let old = parts.control_plane.client_for(&parts.kubeconfig).await.unwrap();
    let remembered = || async {
        match old.apiserver_version().await {
            Err(kube::Error::Api(status)) if status.code == 401 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    wait::until(Duration::from_secs(40), "the old token to be worth nothing", remembered).await.unwrap();
    let account = case.account().await;
    case.secret("after", &account.token.value).await;
    case.connection("after", json!({})).await;
    let refused = || async {
        let events = parts.control_plane.audit_events().map_err(|e| e.to_string())?;
        let refused = events.iter().any(|e| e.code == Some(401) && e.namespace == case.namespace);
        if refused { Ok(()) } else { Err("it is still accepted".to_owned()) }
    };
    wait::until(SOON, "the old token to be refused", refused).await.unwrap();
    parts.control_plane.service_account_kubeconfig(ACCOUNT, ACCOUNT).await.unwrap();
    let renewed: Value = serde_saphyr::from_str(&fs::read_to_string(&parts.kubeconfig).unwrap()).unwrap();
    fs::write(&token_file, renewed["users"][0]["user"]["token"].as_str().unwrap()).unwrap();
    // The client reads the file once a minute.
    let verified = |status: &Value| test_support::case::is(status, "Ready") == ("True", "Verified");
    case.until_within(Duration::from_secs(100), "after", "verified", verified).await;
    operator.healthz().await.unwrap();
    operator.stop().await.unwrap();
}
