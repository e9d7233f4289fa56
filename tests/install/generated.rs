//! What of the chart is made from other files is as they are.

use crate::{CHECKOUT, chart::chart};
use std::{fs, path::Path};

#[test]
fn generated_files_are_up_to_date() {
    let checkout = Path::new(CHECKOUT);
    for (path, expected) in test_support::chart::generated(checkout).unwrap() {
        let found = fs::read_to_string(checkout.join(&path)).unwrap_or_default();
        assert!(found == expected, "{} is not what `make generate` writes", path.display());
    }
}

#[test]
fn the_chart_has_the_version_of_the_operator() {
    let text = fs::read_to_string(chart().join("Chart.yaml")).unwrap();
    let chart: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(
        (&chart["version"], &chart["appVersion"]),
        (&env!("CARGO_PKG_VERSION").into(), &env!("CARGO_PKG_VERSION").into())
    );
    let deployment = fs::read_to_string(Path::new(CHECKOUT).join("deploy/base/deployment.yaml")).unwrap();
    let image = format!("image: clickup-operator:{}", env!("CARGO_PKG_VERSION"));
    assert!(deployment.contains(&image), "deploy/base has another image than {image}");
}
