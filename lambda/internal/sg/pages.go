package sg

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// pageSize is the maximum of DescribeSecurityGroups, so that one call reads a chain
// however many tiers it has.
const pageSize = 1000

// paginator is one of the SDK's paginators.
type paginator[Page any] interface {
	HasMorePages() bool
	NextPage(ctx context.Context, options ...func(*ec2.Options)) (Page, error)
}

// everyPage reads every page of every call that filters need. The caller must filter the
// answer, see [inCalls].
func everyPage[Page, Item any](ctx context.Context, filters []types.Filter, call func([]types.Filter) paginator[Page], items func(Page) []Item) ([]Item, error) {
	return inCalls(filters, func(filters []types.Filter) ([]Item, error) {
		var all []Item
		for pages := call(filters); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			all = append(all, items(page)...)
		}
		return all, nil
	})
}
