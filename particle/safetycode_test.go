package particle

import (
	"errors"
	"strings"
	"testing"
)

func TestSafetyCodes(t *testing.T) {
	a, b := established(t)
	x, _ := established(t)
	if len(a.SafetyCode()) > 134 { // a QR code of version 6, level L
		t.Errorf("a code of %d characters", len(a.SafetyCode()))
	}
	number := b.SafetyNumber()
	code := b.SafetyCode()
	newer := safetyScheme + safetyEncoding.EncodeToString(append([]byte{2}, make([]byte, 60)...))
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"code":                 {code, nil},
		"code with space":      {" " + code + "\n", nil},
		"scheme in upper case": {strings.ToUpper(safetyScheme) + code[len(safetyScheme):], nil},
		"number":               {number, nil},
		"number, no groups":    {strings.ReplaceAll(number, " ", ""), nil},
		"number, two lines":    {number[:35] + "\n" + number[36:], nil},
		"own code":             {a.SafetyCode(), ErrOwnSafetyCode},
		"another's code":       {x.SafetyCode(), ErrSafetyDiffers},
		"another's number":     {x.SafetyNumber(), ErrSafetyDiffers},
		"nothing":              {"", ErrNotSafetyCode},
		"59 digits":            {number[1:], ErrNotSafetyCode},
		"letters":              {strings.Repeat("x", 60), ErrNotSafetyCode},
		"cut code":             {code[:len(code)-1], ErrNotSafetyCode},
		"short code":           {safetyScheme + "AQ", ErrNotSafetyCode},
		"empty code":           {safetyScheme, ErrNotSafetyCode},
		"newer version":        {newer, ErrVersion},
	} {
		if err := a.CompareSafety(test.text); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

type safetyCodeVector struct {
	Shows hexBytes `json:"shows"`
	Other hexBytes `json:"other"`
	Code  string   `json:"code"`
}

func TestVectorsSafetyCode(t *testing.T) {
	file := vectors(t, "safetycode.json", func() []safetyCodeVector {
		x, y := must[Identity](t)(NewIdentity(seeded(1))).Doc(), must[Identity](t)(NewIdentity(seeded(2))).Doc()
		return []safetyCodeVector{{x[:], y[:], safetyCode(x, y)}, {y[:], x[:], safetyCode(y, x)}}
	})
	for _, v := range file {
		if got := safetyCode(IdDoc(v.Shows), IdDoc(v.Other)); got != v.Code {
			t.Errorf("got %s, want %s", got, v.Code)
		}
	}
}
