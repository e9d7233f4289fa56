//! The CRD as a template: the text of the file, with the metadata that values decide about.

use super::ChartError;

const BEFORE: &str = "\
{{- /* From crds/clickupconnections.yaml: `make generate` writes it anew. */}}
{{- if .Values.crds.enabled }}
";
const AFTER: &str = "{{- end }}\n";

/// Text, not a tree: Helm turns numbers of a tree that it prints into floating point.
pub(super) fn template(crd: &str) -> Result<String, ChartError> {
    if crd.contains("{{") {
        return Err(ChartError::Crd("it holds {{, which Helm would take for a template"));
    }
    let crd: String = crd.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect();
    let (head, rest) = crd
        .split_once("metadata:\n  labels:\n")
        .ok_or(ChartError::Crd("its metadata does not begin with labels"))?;
    let (labels, spec) =
        rest.split_once("  name: ").ok_or(ChartError::Crd("its metadata does not end with the name"))?;
    let labels: String =
        labels.lines().filter_map(|line| line.trim().split_once(": ")).map(dict_entry).collect();
    let metadata = format!(
        "metadata:
  {{{{- $keep := ternary (dict \"helm.sh/resource-policy\" \"keep\") dict .Values.crds.keep }}}}
  {{{{- include \"clickup-operator.meta\" (list . (dict{labels}) $keep) | nindent 2 }}}}
  name: "
    );
    Ok([BEFORE, head, &metadata, spec, AFTER].concat())
}

fn dict_entry((key, value): (&str, &str)) -> String {
    format!(" {key:?} {:?}", value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRD: &str =
        "# Printed.\napiVersion: v1\nmetadata:\n  labels:\n    a/b: \"true\"\n  name: x\nspec: {}\n";

    #[test]
    fn values_decide_about_the_metadata_and_nothing_else() {
        let text = template(CRD).unwrap();
        assert!(text.contains("apiVersion: v1\nmetadata:\n"), "{text}");
        assert!(text.contains("(dict \"a/b\" \"true\") $keep"), "{text}");
        assert!(text.ends_with("  name: x\nspec: {}\n{{- end }}\n"), "{text}");
    }

    #[test]
    fn a_crd_that_is_laid_out_otherwise_is_refused() {
        for crd in
            [CRD.replace("labels", "annotations"), CRD.replace("  name: x\n", ""), CRD.replace("{}", "{{}}")]
        {
            assert!(template(&crd).is_err(), "{crd}");
        }
    }
}
