/** The same by hand, against `npm start`, with a real key of the provider's. The README shows these calls too, and a test runs them. */
export const byHand = (origin: string) => `
The same by hand, with a real key. In one terminal:

  DORMOUSE_API_KEY=ac_live_myFirstKeyForDormouse npm start

In another:

${calls(origin).replace(/^/gm, "  ")}
`

export const calls = (origin: string) => `export KEY=ac_live_myFirstKeyForDormouse API=${origin}/api/v1

AGENT=$(curl -s $API/agents -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{
  "name": "Reporter",
  "runtime": {"containerImage": "debian:12", "agentRuntime": "pi"},
  "basePrompt": "You write short reports.",
  "defaults": {
    "provider": "anthropic", "providerApiKey": "'\${ANTHROPIC_API_KEY:?}'", "model": "claude-sonnet-4-5",
    "internetAccess": true, "maxRuntimeSeconds": 600, "outputPolicy": {"mode": "any"}, "runtimeRegion": "any"
  }}' | grep -o 'agt_[0-9A-Z]*' | head -1)

TASK=$(curl -s $API/agents/$AGENT/tasks -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \\
  -d '{"instructions": "Report on this machine in output/report.md."}' | grep -o 'tsk_[0-9A-Z]*' | head -1)

curl -s $API/tasks/$TASK -H "Authorization: Bearer $KEY"
curl -s $API/tasks/$TASK/logs -H "Authorization: Bearer $KEY"
curl -s $API/tasks/$TASK/files -H "Authorization: Bearer $KEY"`
