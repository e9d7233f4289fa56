// Reads objects of the Prometheus Operator, a JSON array, from standard input, and decodes each into that operator's own
// type. A field that the type does not have, or of another kind, is refused.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

func decode(object json.RawMessage) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(object, &head); err != nil {
		return err
	}
	if head.APIVersion != "monitoring.coreos.com/v1" {
		return fmt.Errorf("apiVersion %q", head.APIVersion)
	}
	var into any
	switch head.Kind {
	case "PodMonitor":
		into = &monitoring.PodMonitor{}
	case "ServiceMonitor":
		into = &monitoring.ServiceMonitor{}
	case "PrometheusRule":
		into = &monitoring.PrometheusRule{}
	default:
		return fmt.Errorf("kind %q is not known here", head.Kind)
	}
	strict := json.NewDecoder(strings.NewReader(string(object)))
	strict.DisallowUnknownFields()
	if err := strict.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", head.Kind, err)
	}
	return nil
}

func main() {
	var objects []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, object := range objects {
		if err := decode(object); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Printf("%d objects\n", len(objects))
}
