package stand

import (
	"os"
	"slices"
	"strings"
)

// cleanEnvironment returns this process's environment without variables that could send a call to
// a real account. A developer's profile, Region, endpoint or proxy must not affect the tests.
func cleanEnvironment() []string {
	dropped := []string{"AWS_", "CDK_", "SGCHAIN_", "MINISTACK_", "LOCALSTACK_", "JSII_"}
	var kept []string
	for _, entry := range os.Environ() {
		if slices.ContainsFunc(dropped, func(prefix string) bool { return strings.HasPrefix(entry, prefix) }) {
			continue
		}
		kept = append(kept, entry)
	}
	return kept
}

// awsEnvironment points every AWS client of a child process at endpoint, with useless credentials
// and without the user's configuration files.
func awsEnvironment(endpoint string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + endpoint,
		"AWS_ENDPOINT_URL_S3=" + endpoint,
		"AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test",
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region,
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"NO_PROXY=127.0.0.1,localhost",
		"no_proxy=127.0.0.1,localhost",
	}
}

// Environment returns the environment of a child process that uses only this MiniStack as AWS.
func (m *MiniStack) Environment() []string {
	return append(append(cleanEnvironment(), awsEnvironment(m.Endpoint())...), "CDK_DEFAULT_ACCOUNT="+AccountID, "CDK_DEFAULT_REGION="+Region)
}
