package plan_test

import (
	"testing"

	"sgchain/lambda/chain"
	"sgchain/lambda/plan"
)

func TestPicture(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		tiers []any
		want  string
	}{
		{"the default chain", nil, `internet
   |  tcp 80,443
   v
[Alb] ALB-SG sg-1
   --> anywhere
   |  tcp 6060
   v
[Fargate] Fargate-SG sg-2
   --> anywhere
`},
		{"inbound rules from outside of the chain", []any{
			map[string]any{"Name": "Alb", "Egress": "chain", "Ingress": []any{
				map[string]any{"Ports": []any{80}, "Sources": []any{"internet"}},
				map[string]any{"Ports": []any{8443}, "Sources": []any{"203.0.113.7/32"}},
			}},
			map[string]any{"Name": "App", "Egress": "none", "Ingress": []any{
				map[string]any{"Ports": []any{6060, "udp/53"}, "Sources": []any{"Alb", "self"}},
			}},
			map[string]any{"Name": "Cron"},
		}, `internet
   |  tcp 80
   v
[Alb] sg-1
   <-- 203.0.113.7/32: tcp 8443
   --> App: tcp 6060, App: udp 53
   |  tcp 6060, udp 53
   v
[App]
   <-- itself: tcp 6060, udp 53
   --> nowhere

[Cron]
   --> anywhere
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			properties := map[string]any{"VpcId": "vpc-1"}
			if test.tiers != nil {
				properties["Tiers"] = test.tiers
			}
			spec, err := chain.Parse(properties, chain.DefaultAnswerBytes)
			if err != nil {
				t.Fatal(err)
			}
			got := plan.Picture(chain.Desired(spec), map[string]string{"Alb": "sg-1", "Fargate": "sg-2"})
			if got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}
