package report

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	xhtml "golang.org/x/net/html"

	"communicator/internal/testenv"
)

//go:embed testdata/inspect.js
var inspector string

// finding is what testdata/inspect.js finds in a page.
type finding struct {
	Name   string
	Charts []struct {
		Figure               string
		Width, Height, Drawn float64
		Data, Outside        int
		TextsOutside         []string
		Smallest             float64
		Named                bool
	}
	Twice          []string
	Width, Scroll  float64
	Figures, Empty int
	Requests       []string
	Alerts         int
	Background     string
}

// browse opens a page from the disk in a browser without a network, with the inspector in
// it, and returns what that finds. A picture of it is in the test's folder, or a taller one in
// $REPORT_SCREENSHOTS.
func browse(t *testing.T, name string, page []byte, width int, flags ...string) []finding {
	t.Helper()
	chromium := testenv.Tool(t, "chromium")
	dir := t.TempDir()
	pictures, height := dir, 1400 // the rest is laid out all the same
	if kept := os.Getenv("REPORT_SCREENSHOTS"); kept != "" {
		pictures, height = kept, 6000
	}
	path, picture := filepath.Join(dir, "page.html"), filepath.Join(pictures, name+".png")
	page = bytes.Replace(page, []byte("</body>"), []byte("<script>"+inspector+"</script></body>"), 1)
	if err := os.WriteFile(path, policy.ReplaceAll(page, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=3000", "--screenshot=" + picture,
		fmt.Sprintf("--window-size=%d,%d", width, height), "--dump-dom"}, append(flags, "file://"+path)...)
	dom, said, err := runApart(t, chromium, args)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	m := found.FindSubmatch(dom)
	if m == nil {
		t.Fatalf("the inspector did not run\n%s", said)
	}
	var out []finding
	if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &out); err != nil {
		t.Fatal(err)
	}
	checkPicture(t, picture, width)
	return out
}

// runApart runs a program without any network at all, where this process may do that.
func runApart(t *testing.T, program string, args []string) (out []byte, said string, err error) {
	t.Helper()
	for _, apart := range []uintptr{syscall.CLONE_NEWNET, 0} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: apart}
		var b bytes.Buffer
		cmd.Stderr = &b
		out, err = cmd.Output()
		said = b.String()
		if !errors.Is(err, syscall.EPERM) {
			break
		}
	}
	return out, said, err
}

var (
	found  = regexp.MustCompile(`(?s)<pre id="findings" hidden="">(.*?)</pre>`)
	policy = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`) // forbids scripts
)

// checkPicture finds something drawn in a screenshot: many colours.
func checkPicture(t *testing.T, path string, width int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	colours := map[uint32]bool{}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y += 3 {
		for x := b.Min.X; x < b.Max.X; x += 3 {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[r>>8<<16|g>>8<<8|b>>8] = true
		}
	}
	if b.Dx() != width || len(colours) < 50 {
		t.Errorf("%s is %d wide and has %d colours", path, b.Dx(), len(colours))
	}
}

// check holds a page to what every page must be.
func (f *finding) check(t *testing.T, charts int) {
	t.Helper()
	if len(f.Charts) != charts || f.Figures != charts+f.Empty {
		t.Errorf("%s: %d charts in %d figures, %d of them empty; expected %d", f.Name, len(f.Charts), f.Figures, f.Empty, charts)
	}
	for _, c := range f.Charts {
		if c.Width < 200 || c.Height < 60 || c.Drawn <= 0 || c.Data == 0 || c.Outside > 0 {
			t.Errorf("%s: chart of %s is not drawn: %+v", f.Name, c.Figure, c)
		}
		if len(c.TextsOutside) > 0 {
			t.Errorf("%s: texts stand out of %s: %q", f.Name, c.Figure, c.TextsOutside)
		}
		if !c.Named || c.Smallest < 6 {
			t.Errorf("%s: chart of %s: named %v, smallest text of %g pixels", f.Name, c.Figure, c.Named, c.Smallest)
		}
	}
	if len(f.Twice) > 0 || len(f.Requests) > 0 || f.Alerts > 0 {
		t.Errorf("%s: ids twice %q, requests %q, hostile scripts run %d", f.Name, f.Twice, f.Requests, f.Alerts)
	}
	if f.Scroll > f.Width {
		t.Errorf("%s: %g pixels wide in a window of %g", f.Name, f.Scroll, f.Width)
	}
}

// TestReportInBrowser opens a run's page as a reader does.
func TestReportInBrowser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := sample(7, 1)
	if err := Write(dir, run); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, reportName))
	if err != nil {
		t.Fatal(err)
	}
	drawn := len(run.Results.Figures) - 1 // one has no data
	all := browse(t, "run", page, 1200, "--blink-settings=preferredColorScheme=1")
	all[0].check(t, drawn)
	if all[0].Background != "rgb(255, 255, 255)" {
		t.Errorf("light: on %s", all[0].Background)
	}
}

// TestPagesInBrowser opens each kind of page at a phone's width, in the dark, with hostile
// texts in it.
func TestPagesInBrowser(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE html><body style='margin:0;display:flex;align-items:start'>")
	expected := map[string]int{}
	for _, p := range samplePages(t) {
		expected[p.name] = p.charts
		fmt.Fprintf(&b, `<iframe class="page" title="%s" width="390" height="6000" style="border:0" srcdoc="%s"></iframe>`,
			p.name, html.EscapeString(string(p.page)))
	}
	b.WriteString("</body>")
	all := browse(t, "pages", b.Bytes(), 390*len(expected), "--blink-settings=preferredColorScheme=0")
	if len(all) != len(expected) {
		t.Fatalf("%d pages", len(all))
	}
	for _, f := range all {
		f.check(t, expected[f.Name])
		if f.Width != 390 || f.Background == "rgb(255, 255, 255)" {
			t.Errorf("%s: %g pixels on %s", f.Name, f.Width, f.Background)
		}
	}
}

type samplePage struct {
	name   string
	page   []byte
	charts int
}

// samplePages are one of each kind.
func samplePages(t *testing.T) []samplePage {
	t.Helper()
	var pages []samplePage
	add := func(name string, charts int, write func(*bytes.Buffer) error) {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, samplePage{name, b.Bytes(), charts})
	}
	run, hostile := sample(7, 1), hostileRun()
	add("run", len(run.Results.Figures)-1, func(b *bytes.Buffer) error { return writePage(b, &run) })
	add("hostile", len(hostile.Results.Figures)-1, func(b *bytes.Buffer) error { return writePage(b, &hostile) })
	other := sample(8, 2)
	both := Compare(run, other)
	add("compare", len(run.Results.Figures)-1, func(b *bytes.Buffer) error { return both.WriteHTML(b) })
	sweep := Sweep(samplePlan(3), Plan{})
	add("sweep", len(sweep.charts()), func(b *bytes.Buffer) error { return sweep.WriteHTML(b) })
	return pages
}

// outward are the attributes that load something or lead somewhere.
var outward = []string{"src", "srcset", "href", "xlink:href", "action", "formaction", "data", "poster", "background"}

// TestPagesAskForNothing: no page names anything outside of itself.
func TestPagesAskForNothing(t *testing.T) {
	for _, p := range samplePages(t) {
		for tokens := xhtml.NewTokenizer(bytes.NewReader(p.page)); tokens.Next() != xhtml.ErrorToken; {
			for _, a := range tokens.Token().Attr {
				if slices.Contains(outward, a.Key) && !strings.HasPrefix(a.Val, "#") {
					t.Errorf("%s: %s=%s", p.name, a.Key, a.Val)
				}
			}
		}
		for _, word := range []string{"url(", "@import", "<script", "<link", "<img", "<iframe"} {
			if bytes.Contains(bytes.ToLower(p.page), []byte(word)) {
				t.Errorf("%s has %s", p.name, word)
			}
		}
	}
}
