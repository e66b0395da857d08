package scenario

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/goccy/go-yaml"
)

// YAML writes the scenario with every key, as it was resolved: [Parse] reads it back.
func (s *Scenario) YAML() ([]byte, error) { return yaml.Marshal(s) }

// Hash identifies what runs: SHA-256 over the resolved scenario, in hex.
func (s *Scenario) Hash() (string, error) {
	b, err := s.YAML()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
