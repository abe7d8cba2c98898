package stand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	startPatience = 60 * time.Second
	stopPatience  = 15 * time.Second
	pollInterval  = 50 * time.Millisecond
)

// MiniStack is one running emulator. It belongs to a folder, not to the process that started it:
// any process can attach to the one in a folder and stop it.
type MiniStack struct {
	Account `json:"-"`

	PID      int    `json:"pid"`
	Port     int    `json:"port"`
	Identity string `json:"identity"`

	dir string
}

// Start runs MiniStack on a free port of 127.0.0.1, with its state, its log and its process ID in
// dir, and returns when it answers. It keeps nothing from an earlier run: it first stops a MiniStack
// that a killed run left in the same folder. venv is the Python environment that has it. The
// functions that it runs get the further variables too.
func Start(ctx context.Context, venv, dir string, further ...string) (*MiniStack, error) {
	old, err := Attach(ctx, dir)
	if err != nil {
		return nil, err
	}
	if old != nil {
		if err := old.Stop(ctx); err != nil {
			return nil, err
		}
	}
	// The free port may have been taken in the meantime. MiniStack ends at once then.
	var failures []error
	for range 3 {
		m, err := launch(ctx, venv, dir, further)
		if err != nil {
			return nil, err
		}
		if err = m.ready(ctx); err == nil {
			return m, nil
		}
		failures = append(failures, err, m.Stop(context.WithoutCancel(ctx)))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(failures...)
}

// Attach returns the MiniStack that runs in dir, or nil if none does. It removes the process file of
// one that ended without Stop.
func Attach(ctx context.Context, dir string) (*MiniStack, error) {
	m := &MiniStack{dir: dir}
	text, err := os.ReadFile(m.file())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // a missing MiniStack is no failure
	}
	if err != nil {
		return nil, fmt.Errorf("reading MiniStack's process file: %w", err)
	}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("reading MiniStack's process file (%s): %w", m.file(), err)
	}
	m.Account = emulated(m.Endpoint())
	now, err := identity(ctx, m.PID)
	if err != nil {
		return nil, err
	}
	if now != m.Identity { // it ended, and another process may have its ID
		if err := os.Remove(m.file()); err != nil {
			return nil, fmt.Errorf("removing MiniStack's process file: %w", err)
		}
		return nil, nil //nolint:nilnil // the same
	}
	return m, nil
}

// Endpoint returns the URL of every AWS call.
func (m *MiniStack) Endpoint() string {
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(m.Port))
}

// LogFile returns the path of MiniStack's own log.
func (m *MiniStack) LogFile() string { return filepath.Join(m.dir, "ministack.log") }

func (m *MiniStack) file() string { return filepath.Join(m.dir, "ministack.json") }

// Stop ends MiniStack and the functions that it runs, and returns when the process is gone and its
// port is free. It does not fail if MiniStack has already ended.
func (m *MiniStack) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	if err := signal(ctx, m.PID, m.Identity, syscall.SIGTERM); err != nil {
		return err
	}
	if err := m.waitUntilGone(ctx, stopPatience/2); err != nil {
		// Its whole process group, which contains the functions.
		if err := signal(ctx, m.PID, m.Identity, syscall.SIGKILL); err != nil {
			return err
		}
		_ = syscall.Kill(-m.PID, syscall.SIGKILL)
		if err := m.waitUntilGone(ctx, stopPatience/2); err != nil {
			return err
		}
	}
	if err := os.Remove(m.file()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing MiniStack's process file: %w", err)
	}
	// The folder only contains the functions' code and MiniStack's temporary files.
	if err := os.RemoveAll(filepath.Join(m.dir, "tmp")); err != nil {
		return fmt.Errorf("removing MiniStack's scratch folder: %w", err)
	}
	return nil
}

// waitUntilGone returns when the process has ended and its port is free.
func (m *MiniStack) waitUntilGone(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return poll(ctx, pollInterval, fmt.Sprintf("stopping MiniStack (process %d, port %d)", m.PID, m.Port), func() (bool, error) {
		now, err := identity(ctx, m.PID)
		if err != nil || now == m.Identity {
			return false, err
		}
		return m.PortFree(ctx), nil
	})
}

// PortFree reports whether no process listens on MiniStack's port.
func (m *MiniStack) PortFree(ctx context.Context) bool {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(m.Port)))
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func launch(ctx context.Context, venv, dir string, further []string) (*MiniStack, error) {
	m := &MiniStack{dir: dir}
	tmp := filepath.Join(dir, "tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return nil, fmt.Errorf("starting MiniStack: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, fmt.Errorf("starting MiniStack: %w", err)
	}
	m.Port = port
	m.Account = emulated(m.Endpoint())
	log, err := os.Create(m.LogFile())
	if err != nil {
		return nil, fmt.Errorf("starting MiniStack: %w", err)
	}
	defer func() { _ = log.Close() }() // the child has its own copy

	// It outlives the context and this process, until Stop ends it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(venv, "bin", "python"), "-m", "ministack")
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	// Its own process group, so that Ctrl-C in the terminal does not end it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = m.Environment()
	cmd.Env = append(
		cmd.Env,
		"BIND_HOST=127.0.0.1", // the default is every interface
		"GATEWAY_PORT="+strconv.Itoa(m.Port),
		"MINISTACK_HOST=127.0.0.1", // the host of each ResponseURL
		"TMPDIR="+tmp,
		"STATE_DIR="+filepath.Join(tmp, "state"),
		"S3_DATA_DIR="+filepath.Join(tmp, "s3"),
		"SFTP_ENABLED=0", // these two services listen on other ports
		"IOT_MTLS_ENABLED=0",
		// With Docker, MiniStack removes other processes' containers when it starts.
		"DOCKER_HOST=unix://"+filepath.Join(tmp, "no-docker"),
		// Functions inherit MiniStack's environment: the two switches for emulators.
		"SGCHAIN_EMULATOR_ENDPOINT="+m.Endpoint(),
		"SGCHAIN_EMULATOR_FENCE=log",
	)
	cmd.Env = append(cmd.Env, further...)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting MiniStack: %w", err)
	}
	m.PID = cmd.Process.Pid
	// Read its exit status as soon as it ends, so that it does not stay a zombie.
	go func() { _ = cmd.Wait() }()

	if m.Identity, err = firstIdentity(ctx, m.PID); err == nil {
		err = m.save()
	}
	if err != nil {
		_ = syscall.Kill(-m.PID, syscall.SIGKILL)
		return nil, err
	}
	return m, nil
}

// save writes the process file before anything else can fail, so that a later run can stop MiniStack.
func (m *MiniStack) save() error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("writing MiniStack's process file: %w", err)
	}
	if err := os.WriteFile(m.file(), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing MiniStack's process file: %w", err)
	}
	return nil
}

// ready returns when MiniStack answers.
func (m *MiniStack) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	return poll(ctx, pollInterval, fmt.Sprintf("starting MiniStack (log: %s)", m.LogFile()), func() (bool, error) {
		now, err := identity(ctx, m.PID)
		if err != nil {
			return false, err
		}
		if now != m.Identity {
			return false, errors.New("it ended by itself")
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.Endpoint()+"/_ministack/health", http.NoBody)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, nil // not listening yet
		}
		defer func() { _ = response.Body.Close() }()
		_, err = io.Copy(io.Discard, response.Body)
		return err == nil && response.StatusCode == http.StatusOK, nil
	})
}

func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("listening: unexpected address %v", listener.Addr())
	}
	return address.Port, nil
}

// poll calls done until it returns true or an error, or the context ends.
func poll(ctx context.Context, interval time.Duration, doing string, done func() (bool, error)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		ok, err := done()
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", doing, ctx.Err())
		case <-ticker.C:
		}
	}
}
