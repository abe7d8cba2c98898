package clients

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// table is the pinned SDK's own table of partitions, which only the SDK may import.
// If a newer SDK moves it or changes its format, the test fails.
type table struct {
	Partitions []struct {
		ID          string
		Outputs     struct{ DNSSuffix string }
		RegionRegex string
		Regions     map[string]struct{ DNSSuffix string }
	}
}

func partitions(t *testing.T) table {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "internal", "endpoints", "awsrulesfn", "partitions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var read table
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// TestF4EveryPartitionOfTheSDK fails if a newer SDK has a partition or Region that Suffix does not cover.
func TestF4EveryPartitionOfTheSDK(t *testing.T) {
	t.Parallel()
	seen, regions := map[string]string{}, 0
	for _, partition := range partitions(t).Partitions {
		seen[partition.ID] = partition.Outputs.DNSSuffix
		for region, override := range partition.Regions {
			regions++
			want := partition.Outputs.DNSSuffix
			if override.DNSSuffix != "" {
				want = override.DNSSuffix
			}
			if got := Suffix(region); want == "" || got != want {
				t.Errorf("partition %s, Region %s: got suffix %q, want %q", partition.ID, region, got, want)
			}
		}
	}
	for id, suffix := range map[string]string{
		"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com", "aws-eusc": "amazonaws.eu",
		"aws-iso": "c2s.ic.gov", "aws-iso-b": "sc2s.sgov.gov", "aws-iso-e": "cloud.adc-e.uk", "aws-iso-f": "csp.hci.ic.gov",
	} {
		if seen[id] != suffix {
			t.Errorf("the table was not read: partition %s has suffix %q, want %q", id, seen[id], suffix)
		}
	}
	if regions < 50 {
		t.Errorf("the table was not read: it has %d Regions", regions)
	}
}

// TestF4RegionsThatTheSDKDoesNotKnow checks that a newer Region belongs to the partition that its name fits.
func TestF4RegionsThatTheSDKDoesNotKnow(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-north-9": "amazonaws.com", "cn-east-9": "amazonaws.com.cn", "eusc-de-west-9": "amazonaws.eu", "us-iso-south-9": "c2s.ic.gov",
		"us-isob-west-9": "sc2s.sgov.gov", "eu-isoe-east-9": "cloud.adc-e.uk", "us-isof-north-9": "csp.hci.ic.gov", "us-gov-south-9": "amazonaws.com",
		"mars-north-1": "amazonaws.com", "": "", "us-east-1/x": "", "us east 1": "", "user@host": "", "us-east-1.example.org": "",
	} {
		if got := Suffix(region); got != want {
			t.Errorf("Region %q: got suffix %q, want %q", region, got, want)
		}
	}
}
