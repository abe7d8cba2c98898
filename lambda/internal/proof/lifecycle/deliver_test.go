package lifecycle_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/cfn"

	"sgchain/lambda/internal/proof/lifecycle"
)

// TestAcceptAnswers checks that CloudFormation counts an invalid answer as a failure with an
// invented ID (user guide, "Custom resource response objects"). The size limit was measured; it is
// inclusive.
func TestAcceptAnswers(t *testing.T) {
	t.Parallel()
	body := func(status, id, reason string) string {
		return fmt.Sprintf(`{"Status":%q,"PhysicalResourceId":%q,"Reason":%q,"StackId":%q,"RequestId":"request-1","LogicalResourceId":"Chain"}`, status, id, reason, lifecycle.StackID)
	}
	long := func(size int) string {
		return body("FAILED", "X", strings.Repeat("x", size-len(body("FAILED", "X", ""))))
	}
	other := strings.Replace(body("SUCCESS", "X", ""), "request-1", "request-2", 1)
	for _, one := range []struct{ text, want string }{
		{body("SUCCESS", "X", ""), ""},
		{body("FAILED", "X", "no"), ""},
		{long(4096), ""},
		{long(4097), "Response object is too long."},
		{body("FAILED", "", "no"), "Invalid PhysicalResourceId"},
		{body("FAILED", strings.Repeat("x", 1025), "no"), "Invalid PhysicalResourceId"},
		{body("FAILED", "X", ""), "Invalid Response object: Reason"},
		{body("DONE", "X", ""), "Invalid Response object: Status"},
		{other, "Invalid Response object: it is not about this request"},
	} {
		answer, err := lifecycle.Accept([]byte(one.text), "request-1")
		if (err == nil) != (one.want == "") || (err != nil && err.Error() != one.want) {
			t.Errorf("%.80s: got %v, want %q", one.text, err, one.want)
		}
		if err != nil && (answer.Status != cfn.StatusFailed || answer.PhysicalResourceID != lifecycle.Invented) {
			t.Errorf("%.80s: counts as %+v", one.text, answer)
		}
	}
}
