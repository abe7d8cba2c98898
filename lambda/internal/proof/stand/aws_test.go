package stand_test

import (
	"testing"

	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"sgchain/lambda/internal/proof/stand"
)

func TestAtRest(t *testing.T) {
	t.Parallel()
	for status, want := range map[cfntypes.StackStatus]bool{
		cfntypes.StackStatusCreateComplete: true, cfntypes.StackStatusDeleteFailed: true, cfntypes.StackStatusReviewInProgress: true,
		cfntypes.StackStatusUpdateInProgress: false, cfntypes.StackStatusUpdateCompleteCleanupInProgress: false, cfntypes.StackStatusDeleteInProgress: false,
	} {
		if got := stand.OperationEnded(status); got != want {
			t.Errorf("%s: got %t, want %t", status, got, want)
		}
	}
}
