//! `values.yaml` as a table: each key with the comment above it, by the headings among the comments.

/// A documented value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Heading that it stands under.
    pub section: String,
    /// With dots, such as `image.tag`.
    pub path: String,
    /// As YAML writes it in one line.
    pub default: String,
    /// The comment.
    pub meaning: String,
}

/// A key cannot be documented.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValuesError {
    /// Neither it nor what is below it has a comment.
    #[error("{path} has no comment")]
    NoComment {
        /// The key.
        path: String,
    },
    /// It stands before the first heading.
    #[error("{path} stands under no heading (a comment `# ## Heading`)")]
    NoHeading {
        /// The key.
        path: String,
    },
    /// It cannot be read.
    #[error("line {line} is neither a comment nor a key: {text:?}")]
    Line {
        /// From 1.
        line: usize,
        /// What it holds.
        text: String,
    },
}

/// The documented values in order. A key with a comment and nothing on its line has what is below it as its default.
///
/// # Errors
/// A key is without comment or heading, or a line is not understood.
pub fn parse(text: &str) -> Result<Vec<Value>, ValuesError> {
    let (mut section, mut comment, mut path) = (String::new(), Vec::new(), Vec::new());
    let mut values: Vec<Value> = Vec::new();
    // The first comment of the file is about the file.
    let lines = text.lines().enumerate().skip_while(|(_, line)| line.starts_with('#'));
    for (at, line) in lines {
        let (indent, content) = (line.len() - line.trim_start().len(), line.trim());
        if let Some(heading) = content.strip_prefix("# ## ") {
            section = heading.to_string();
        } else if let Some(words) = content.strip_prefix("# ") {
            comment.push(words);
        } else if let Some((key, default)) = content.split_once(':') {
            path.truncate(indent / 2);
            path.push(key);
            take(&mut values, &section, &path, default.trim(), &comment.join(" "))?;
            comment.clear();
        } else if !content.is_empty() {
            return Err(ValuesError::Line { line: at + 1, text: line.to_string() });
        }
    }
    Ok(values)
}

fn take(
    values: &mut Vec<Value>,
    section: &str,
    path: &[&str],
    default: &str,
    meaning: &str,
) -> Result<(), ValuesError> {
    let path = path.join(".");
    if section.is_empty() {
        return Err(ValuesError::NoHeading { path });
    }
    let owner = values.iter_mut().rev().find(|value| path.starts_with(&format!("{}.", value.path)));
    match (owner, meaning) {
        // Part of the default of what it belongs to.
        (Some(owner), "") => {
            let key = path[owner.path.len() + 1..].to_string();
            let comma = if owner.default.is_empty() { "" } else { ", " };
            owner.default += &format!("{comma}{key}: {default}");
        }
        (None, "") if default.is_empty() => {}
        (None, "") => return Err(ValuesError::NoComment { path }),
        (_, meaning) => values.push(Value {
            section: section.to_string(),
            path,
            default: default.to_string(),
            meaning: meaning.to_string(),
        }),
    }
    Ok(())
}

/// The values as tables of Markdown, one for each heading.
pub(super) fn table(text: &str) -> Result<String, ValuesError> {
    let (mut table, mut section) = (String::new(), String::new());
    for value in parse(text)? {
        if value.section != section {
            section.clone_from(&value.section);
            table += &format!("\n### {section}\n\n| value | default | meaning |\n| --- | --- | --- |\n");
        }
        let cell = |text: &str| text.replace('|', "\\|");
        table += &format!("| `{}` | `{}` | {} |\n", value.path, cell(&value.default), cell(&value.meaning));
    }
    Ok(table.trim_start_matches('\n').to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_carry_their_comments_and_defaults() {
        let text = "# About the file.\n\n# ## First\n\nimage:\n  # The tag\n  tag: \"\"\n# Of the Pod,\n# both\n\
                    resources:\n  requests: {cpu: 1}\n  limits: {}\n# ## Second\n# How many\nreplicas: 1\n";
        let value = |section: &str, path: &str, default: &str, meaning: &str| Value {
            section: section.into(),
            path: path.into(),
            default: default.into(),
            meaning: meaning.into(),
        };
        let expected = [
            value("First", "image.tag", "\"\"", "The tag"),
            value("First", "resources", "requests: {cpu: 1}, limits: {}", "Of the Pod, both"),
            value("Second", "replicas", "1", "How many"),
        ];
        assert_eq!(parse(text).unwrap(), expected);
        let table = table(text).unwrap();
        assert!(table.contains("### Second\n\n| value | default | meaning |\n"), "{table}");
        assert!(table.contains("\n| `replicas` | `1` | How many |\n"), "{table}");
    }

    #[test]
    fn what_cannot_be_documented_is_refused() {
        let refused = |text: &str| parse(text).unwrap_err();
        assert_eq!(refused("# ## A\na: 1\n"), ValuesError::NoHeading { path: "a".into() });
        assert_eq!(refused("\n# ## A\na: 1\n"), ValuesError::NoComment { path: "a".into() });
        assert!(matches!(refused("\n# ## A\n- a\n"), ValuesError::Line { line: 3, .. }));
    }
}
