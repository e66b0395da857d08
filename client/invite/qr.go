package invite

import (
	"strings"

	qrcode "github.com/skip2/go-qrcode"
)

// QR draws a link as a QR code (ISO/IEC 18004) for a terminal, two modules to a cell, at
// most [QRWidth] × [QRHeight] cells with a line feed after each row. Light modules are
// drawn, so that the code is right on a dark background; inverse draws the dark ones,
// for a light background.
func QR(link string, inverse bool) (string, error) {
	if len(link) > MaxLink {
		return "", ErrBadLink
	}
	code, err := qrcode.New(link, qrcode.Low)
	if err != nil {
		return "", err
	}
	code.DisableBorder = true
	dark := code.Bitmap()
	side := len(dark)
	drawn := func(x, y int) bool {
		x, y = x-quiet, y-quiet
		outside := x < 0 || y < 0 || x >= side || y >= side
		isDark := !outside && dark[y][x]
		return isDark == inverse
	}
	cells := [...]string{" ", "▄", "▀", "█"} // neither, lower, upper, both
	var out strings.Builder
	for y := 0; y < side+2*quiet; y += 2 {
		for x := range side + 2*quiet {
			i := 0
			if drawn(x, y) {
				i = 2
			}
			// Below an odd last row there is the terminal's background.
			if y+1 < side+2*quiet && drawn(x, y+1) {
				i |= 1
			}
			out.WriteString(cells[i])
		}
		out.WriteByte('\n')
	}
	return out.String(), nil
}
