# Every command sets up what it needs by itself, under build/, and stops what it started.
# GNU make 3.81 is enough.

ARCH ?= arm64
PYTHON ?= python3
HISTORIES ?= 20000
SEED ?= 1
STACK ?= SecurityGroupChain
ACTION ?= plan

TOOLS := build/tools
PACKAGES := ./lambda/... ./cdk/...
TOOL := go tool -modfile=.ci/tools.mod

# The same toolchain and flags everywhere make the bytes reproducible. The Lambda, the demo, vet and
# the tests then share compiled packages. That matters for the AWS SDK, which takes a minute.
bootstrap_const = $(shell sed -n 's/^\(const\)\{0,1\}[[:space:]]*$(1) *= "\(.*\)"$$/\2/p' cdk/bootstrap/bootstrap.go)
TAGS := $(call bootstrap_const,tags)
export GOTOOLCHAIN := $(shell sed -n 's/^toolchain //p' go.mod)
# A flag may have blanks in it: the go command knows the quotes.
GCFLAGS := $(foreach one,gcflags httpFlags x509Flags slogFlags,'-gcflags=$(call bootstrap_const,$(one))')
export GOFLAGS := -buildvcs=false -trimpath -tags=$(TAGS) $(GCFLAGS)
export CGO_ENABLED := 0
export PYTHON
# The CDK's libraries are unpacked once, outside of the home folder.
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/$(TOOLS)/jsii

# The race detector needs a C compiler, which is not a prerequisite. Without one, make test warns.
CC_FOUND := $(shell command -v $(CC) 2>/dev/null)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-update demo-down bootstrap deploy plan sgchain destroy smoke test check soak counts mutants bench browser build template publish size iam lint fmt clean
.PHONY: prerequisites installed formatted prose vet together unit coverage sizes templates-checked end-to-end

# The options, each with the targets that read it. An option on the command line that no target reads
# is an error. In the environment it is not, because other programs may read it.
OPTIONS := ARCH STACK ACTION TIERS VPC GUARDRAILS YES BUCKET REGIONS HISTORIES SEED
ARCH.for := build deploy
STACK.for := deploy plan destroy
ACTION.for := plan
TIERS.for := deploy plan
VPC.for := deploy plan smoke
GUARDRAILS.for := deploy plan
YES.for := deploy destroy
BUCKET.for := publish
REGIONS.for := publish
HISTORIES.for := soak test
SEED.for := soak test
GOALS := $(or $(MAKECMDGOALS),$(.DEFAULT_GOAL))
UNREAD := $(strip $(foreach option,$(OPTIONS),$(if $(filter command,$(firstword $(origin $(option)))),$(if $(filter $($(option).for),$(GOALS)),,$(option)))))
ifneq ($(UNREAD),)
$(error make $(GOALS) takes no $(foreach option,$(UNREAD),$(option) (for make $($(option).for))): leave it out)
endif

help: ## List these commands
	@printf 'Security group chain: a CloudFormation custom resource. Commands:\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'
	@printf '\nmake build and make deploy take ARCH=amd64 or ARCH=arm64 (default), make deploy, make plan and make destroy STACK=name, make deploy and make plan TIERS=json GUARDRAILS=warn\n'
	@printf 'VPC=id, make deploy and make destroy YES=1 (no question), make publish BUCKET and REGIONS, make soak HISTORIES and SEED; PYTHON=python3.12 names another Python.\n'

demo: prerequisites installed ## Deploy the tutorial's chain with cdk deploy to an emulated AWS on this machine
	@$(TOOLS)/demo up

demo-update: prerequisites installed ## Deploy a changed chain there, and show what changed
	@$(TOOLS)/demo update

demo-down: prerequisites ## Destroy it, show that nothing is left, stop the emulator
	+@.ci/abreast $(TOOLS)/demo $(TOOLS)/cdk.stamp
	@$(TOOLS)/demo down

CDK = $(TOOLS)/node_modules/.bin/cdk --no-notices --output build/cdk.out

bootstrap: prerequisites $(TOOLS)/cdk.stamp ## Prepare your account and Region once for cdk deploy
	@$(CDK) bootstrap -c vpcId=new

deploy: prerequisites $(TOOLS)/cdk.stamp ## Show the changes to your account, ask, and deploy (VPC=vpc-..., credentials as for the AWS CLI)
	@case "$$CHAIN_VPC" in vpc-*|new) ;; *) echo "VPC is '$$CHAIN_VPC': write make deploy VPC=vpc-0123456789abcdef0, or VPC=new for a small VPC of its own" >&2; exit 2;; esac
	@rm -rf build/cdk.out; $(CDK) diff "$$CHAIN_STACK" $(SETTINGS)
	@printf '\nWhat the chain is after that:\n\n'; cat "build/cdk.out/$$CHAIN_STACK.Chain.plan.txt"
	@[ -n '$(YES)' ] || { printf '\nDeploy this to stack %s? [y/N] ' "$$CHAIN_STACK"; read -r answer && [ "$$answer" = y ]; } || { echo 'Nothing was changed.' >&2; exit 1; }
	@$(TOOLS)/node_modules/.bin/cdk --no-notices --app build/cdk.out deploy "$$CHAIN_STACK" --require-approval never

plan: prerequisites ## Show what an update of that stack would change now (TIERS=json: to these tiers; ACTION=check: drift from its template)
	@case '$(ACTION)' in plan|check) ;; *) echo "ACTION is '$(ACTION)': write plan or check" >&2; exit 2;; esac
	@go run ./cdk/cmd/sgchain '$(ACTION)' "$$CHAIN_STACK" $(if $(value TIERS),--tiers "$$CHAIN_TIERS") $(if $(value VPC),--vpc "$$CHAIN_VPC") $(if $(value GUARDRAILS),--guardrails "$$CHAIN_GUARDRAILS")

sgchain: prerequisites ## Build build/sgchain: lint, plan, import and draw chains from a shell
	go build -o build/sgchain ./cdk/cmd/sgchain

destroy: prerequisites $(TOOLS)/cdk.stamp ## Ask, and delete that stack (YES=1: without asking)
	@$(CDK) destroy "$$CHAIN_STACK" -c "stackName=$$CHAIN_STACK" -c vpcId=new $(if $(YES),--force)

# The app's settings. It requires a VPC even for a destroy, which accepts any.
# Values reach the shell as variables, so that it does not interpret quotes or dollars in them.
export CHAIN_STACK := $(value STACK)
export CHAIN_VPC := $(value VPC)
export CHAIN_TIERS := $(value TIERS)
export CHAIN_GUARDRAILS := $(value GUARDRAILS)
SETTINGS = -c "stackName=$$CHAIN_STACK" -c "vpcId=$$CHAIN_VPC" -c 'arch=$(ARCH)' -c "tiers=$$CHAIN_TIERS" -c "guardrails=$$CHAIN_GUARDRAILS"

smoke: prerequisites $(TOOLS)/cdk.stamp $(TOOLS)/ministack.stamp ## Run a chain's full lifecycle in your account, then delete it (VPC=vpc-..., 15 minutes, no lasting costs)
	@go build -o $(TOOLS)/smoke ./lambda/internal/proof/stand/smoke
	@exec $(TOOLS)/smoke -vpc "$$CHAIN_VPC"

test: prerequisites formatted lint unit coverage sizes templates-checked together ## Run every test that one machine can run
	@printf '\nmake test: everything passed\n'

check: prerequisites formatted ## Check formatting, vet and unit tests in under a minute, while you edit
	go vet $(PACKAGES)
	CDK_VALIDATION=false go test -short $(PACKAGES)

soak: prerequisites ## Run simulated lifecycles and check the promises after every call (HISTORIES=20000 SEED=1)
	GOGC=1000 SOAK_HISTORIES=$(HISTORIES) SOAK_SEED=$(SEED) SOAK_SCOPE=all go test -count=1 -timeout 4h -run 'Test(SmallScope|MoveScope|Histories)$$' -v ./lambda/internal/proof/lifecycle

counts: prerequisites ## Measure the EC2 calls of every operation and compare them with the documented figures
	go test -count=1 -run 'TestCounts$$' ./lambda/internal/provider
	@cat docs/counts.md

mutants: prerequisites ## Plant known bugs in a copy of the code and show that each is caught (20 minutes)
	go run ./lambda/internal/proof/mutants

bench: prerequisites ## Compare start-up and memory with a hello-world Lambda, and check hostile events and the planner against limits (Linux)
	@go run ./cdk/cmd/bench

build: prerequisites ## Build build/lambda.zip (ARCH=arm64 or amd64)
	go run ./cdk/cmd/sgchain bundle --arch $(ARCH) --output build/lambda.zip

template: prerequisites ## Write the published templates (template/)
	go run ./cdk/cmd/templates

publish: prerequisites ## Upload zips and templates, and print launch links (BUCKET=name REGIONS="eu-central-1 ...")
	@go run ./cdk/cmd/templates
	@go run ./cdk/cmd/sgchain publish $(if $(BUCKET),--bucket '$(BUCKET)') $(if $(REGIONS),--regions '$(REGIONS)')

size: prerequisites sizes ## Check the Lambda's size, and compare the AWS operations that it links, calls and may use

lint: prerequisites $(TOOLS)/golangci-lint.stamp prose ## Run the linters: .ci/golangci.yml for code, .ci/vale for English
	$(TOOL) golangci-lint run -c .ci/golangci.yml $(PACKAGES)

# What it finds in build/prose/FILE.comments.md, or .messages.md, is on the same line of FILE.
prose:
	@go run ./cdk/cmd/prose build/prose
	go tool -modfile=.ci/vale.mod vale --config .ci/vale/vale.ini --output line build/prose

fmt: prerequisites $(TOOLS)/gofumpt.stamp ## Format every Go file
	$(TOOL) gofumpt -w lambda cdk .ci/nag

clean: ## Remove build/, unless the demo runs
	@if [ -e build/demo/ministack.json ]; then echo 'The demo is running: make demo-down first.' >&2; exit 1; fi
	rm -rf build

prerequisites:
	@sh .ci/prerequisites

formatted: $(TOOLS)/gofumpt.stamp
	@files=$$($(TOOL) gofumpt -l lambda cdk .ci/nag) || exit 1; \
	if [ -n "$$files" ]; then printf 'Not formatted (make fmt):\n%s\n' "$$files" >&2; exit 1; fi

# A cold demo keeps two cores busy for a minute. Unpacking waits for the disk, and compilers wait for one
# another.
installed:
	@[ -e $(TOOLS)/demo ] || echo '  Installing and compiling in parallel: a minute or two the first time.'
	+@.ci/abreast $(TOOLS)/demo $(TOOLS)/ministack.stamp $(TOOLS)/cdk.stamp

# The soak and the policy simulator use the CPU, while the end-to-end tests mostly wait for processes.
together: $(TOOLS)/cdk.stamp $(TOOLS)/checks.stamp
	@.ci/beside soak iam end-to-end

vet:
	go vet -tags e2e,$(TAGS) $(PACKAGES)

# make vet checks what go test would vet. The CDK's own validation of templates takes seconds for each
# app of the tests, so it is off. It stays on in make deploy, and cfn-lint, checkov and cdk-nag check
# the published templates.
unit:
ifeq ($(CC_FOUND),)
	@echo 'WARNING: no C compiler ($(CC)): the tests run without the race detector' >&2
	go test -vet=off -shuffle=on -count=1 ./lambda/...
else
	CGO_ENABLED=1 CC='$(CC)' go test -vet=off -race -shuffle=on -count=1 ./lambda/...
endif
	CDK_VALIDATION=false go test -vet=off -shuffle=on -count=1 ./cdk/...

# In these packages, only panics for impossible cases are uncovered, and the kinds of peers that
# Resolve and Goal have replaced by then.
coverage:
	@mkdir -p build
	@go test -count=1 -coverprofile=build/coverage.out ./lambda/chain ./lambda/plan >build/coverage.txt || { cat build/coverage.txt; exit 1; }
	@go tool cover -func=build/coverage.out | awk '/^total:/ {total = $$3} !/100.0%$$/ {print "  " $$0} END {if (total + 0 < 95) {print "the pure packages are covered to " total ", want 95%"; exit 1}}'

sizes:
	go run ./cdk/cmd/size

# cdk-nag is a module of its own, so that the product does not depend on it.
templates-checked: $(TOOLS)/checks.stamp
	$(TOOLS)/venv/bin/cfn-lint $(TEMPLATES)
	go run ./cdk/cmd/sgchain lint --strict $(TEMPLATES)
	CDK_VALIDATION=false go -C .ci/nag run . $(addprefix $(CURDIR)/,$(TEMPLATES))

# template/ also has the schema for editors.
TEMPLATES := $(filter-out template/schema.json,$(wildcard template/*.json))

# A browser is not a prerequisite, so make test excludes this. It checks contrast, order and escapes
# without a browser.
browser: prerequisites ## Check the pages of sgchain draw with axe-core in Chromium: light, dark, keyboard, 320 pixels, print
	@mkdir -p build/browser && cp .ci/browser/package.json .ci/browser/package-lock.json build/browser/
	@.ci/quietly 'installing Node packages under build/browser' npm ci --prefix build/browser --no-audit --no-fund --no-update-notifier
	@node .ci/browser/check.mjs cdk/internal/draw/testdata/*.html

iam: prerequisites $(TOOLS)/cdk.stamp ## Check every call of the tests with a policy simulator, and show that it catches wider roles
	node .ci/iam.mjs lambda/testdata/calls.json template/all-in-one.json template/provider.json

end-to-end: $(TOOLS)/cdk.stamp $(TOOLS)/checks.stamp
	go test -vet=off -tags e2e,$(TAGS) -count=1 -timeout 15m -v ./lambda/internal/proof/stand/...
	go test -vet=off -tags e2e,$(TAGS) -count=1 -timeout 15m -run TestCompiledRows ./lambda/internal/proof/lifecycle

# The installed tools. A tool whose stamp is older than its pin is installed again.

$(TOOLS)/ministack.stamp: .ci/requirements.txt .ci/venv
	@.ci/quietly 'installing MiniStack under $(TOOLS)' .ci/venv $(TOOLS)/venv new -r .ci/requirements.txt
	@touch $@

$(TOOLS)/checks.stamp: $(TOOLS)/ministack.stamp .ci/requirements-checks.txt
	@.ci/quietly 'installing cfn-lint and the AWS CLI' .ci/venv $(TOOLS)/venv old -r .ci/requirements.txt -r .ci/requirements-checks.txt
	@touch $@

$(TOOLS)/cdk.stamp: .ci/package.json .ci/package-lock.json
	@rm -rf $(TOOLS)/node_modules && mkdir -p $(TOOLS)
	@cp .ci/package.json .ci/package-lock.json $(TOOLS)/
	@.ci/quietly 'installing Node packages under $(TOOLS)' npm ci --prefix $(TOOLS) --no-audit --no-fund --no-update-notifier
	@touch $@

$(TOOLS)/gofumpt.stamp: .ci/tools.mod .ci/tools.sum
	@mkdir -p $(TOOLS)
	@.ci/quietly 'building gofumpt' $(TOOL) gofumpt -version
	@touch $@

$(TOOLS)/golangci-lint.stamp: .ci/tools.mod .ci/tools.sum
	@mkdir -p $(TOOLS)
	@.ci/quietly 'building golangci-lint (a minute or two)' $(TOOL) golangci-lint version
	@touch $@

# One command compiles the demo and the CDK app with the Lambda's own flags: packages that they share are
# compiled once. Two commands at a time would compile them twice. The demo is first because it needs what
# takes longest, the SDK of EC2. With GOGC=400 the compiler takes less time, and 2.8 GB instead of 1.8.
DEMO_BUILD := GOGC=400 go build -ldflags=-w $(GCFLAGS) '-gcflags=$(call bootstrap_const,ownFlags)' -o $(TOOLS)/ ./lambda/internal/proof/stand/demo ./cdk

# Go knows itself when there is nothing to do, and then this takes no time.
.PHONY: $(TOOLS)/demo
$(TOOLS)/demo:
	@mkdir -p $(TOOLS)
	@if [ -e $@ ]; then $(DEMO_BUILD); \
	else .ci/quietly 'compiling the demo and the CDK app' env $(DEMO_BUILD); fi
