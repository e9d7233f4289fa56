//! tmp
#![allow(clippy::unwrap_used)]
use test_support::stack::*;
use test_support::control_plane::*;
use std::time::Instant;
static S: SharedStack = SharedStack::new();
#[tokio::main]
async fn main() {
    let t = Instant::now();
    let cp = ControlPlane::start(Options::default()).await.unwrap();
    println!("control plane start {:?} {:?} {:?}", t.elapsed(), cp.apiserver().usage().unwrap(), cp.etcd().usage().unwrap());
    let c = cp.client().await.unwrap();
    let t = Instant::now(); 
    { use kube::api::*; use k8s_openapi::api::core::v1::*; let a: Api<Namespace> = Api::all(c); 
    let w = tokio::spawn(async move { let mut s = std::pin::pin!(a.watch(&WatchParams::default(), "0").await.unwrap()); std::future::poll_fn(|_: &mut std::task::Context<'_>| { let _ = &mut s; std::task::Poll::<()>::Pending }).await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await; 
    println!("watch open");
    let t = Instant::now();
    cp.stop().await.unwrap(); println!("stop with a watch {:?}", t.elapsed()); w.abort(); }
    let _ = t;
    let t = Instant::now();
    let o = || { let mut o = StackOptions::new("/work/main/target/debug/clickup-operator"); o.operator = "/tmp/fake/operator".into(); o.checkout = "/tmp/fake".into(); o.simulator.binary="/work/main/target/debug/clickup-simulator".into(); o.simulator.tls = true; o };
    let (a, b) = tokio::join!(S.get(o), S.get(o));
    println!("shared {} {:?}", std::ptr::eq::<Stack>(*a.as_ref().unwrap(), b.unwrap()), t.elapsed());
    let s = a.unwrap();
    println!("{} {}", s.operator.metrics().await.unwrap(), s.operator.healthz().await.unwrap());
    println!("{:?}", s.simulator.client().unwrap().tokens().await.unwrap().len());
    println!("{}", s.operator.process().log());
    println!("{}", s.control_plane.scratch().path().display());
    if std::env::args().nth(1).is_some() { panic!("boom") }
    let t = Instant::now();
    let mut s2 = Stack::start(o()).await.unwrap();
    println!("second stack {:?}", t.elapsed());
    println!("restart {:?}", s2.restart_operator().await.unwrap());
    println!("{}", s2.operator.process().log());
    let t = Instant::now();
    s2.stop().await.unwrap(); println!("stop {:?}", t.elapsed());
}
