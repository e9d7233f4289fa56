//! A link of the rendered book that leads nowhere is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use book::rendered;
use std::{env, fs, process};

#[test]
fn links_that_lead_nowhere_are_told() {
    let folder = env::temp_dir().join(format!("clickup-operator-rendered-{}", process::id()));
    fs::create_dir_all(folder.join("docs")).unwrap();
    fs::write(
        folder.join("index.html"),
        r##"<h1 id="top">x</h1> <a href="docs/a.html#there">1</a> <a href="docs/a.html#gone">2</a>
            <a href="docs/b.html">3</a> <a href="#top">4</a> <img src="docs/plot.svg"> <a href="https://example.com/x">5</a>"##,
    )
    .unwrap();
    fs::write(folder.join("docs/a.html"), r#"<h2 id="there"><a href="../index.html?x=1#top">y</a></h2>"#)
        .unwrap();
    let wrong = rendered::broken(&folder);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        wrong.unwrap(),
        ["index.html: docs/a.html#gone", "index.html: docs/b.html", "index.html: docs/plot.svg"]
    );
}
