import { sleep } from "../core/clock.ts"
import type { Script } from "../test/model-server.ts"

/** Slow enough to be watched. */
const pause = () => sleep(15)

/** What the scripted model does: look around, write the report, say so. Its tools are real. */
export const script: Script = [
  {
    pause,
    blocks: [
      { text: "First I look at the machine." },
      {
        tool: "bash",
        args: { command: 'echo "system: $(uname -sr)"; echo "node: $(node --version)"; echo "user: $(id -un)"; ls' },
      },
    ],
    usage: { input: 412, output: 58 },
  },
  {
    pause,
    blocks: [
      { text: "Now I write the report." },
      {
        tool: "bash",
        args: {
          command:
            '{ echo "# This machine"; echo; echo "- System: $(uname -sr)"; echo "- The agent runs as: $(id -un)"; echo "- Provider keys in its environment: $(env | grep -c sk-ant)"; } > output/report.md',
        },
      },
    ],
    usage: { input: 561, output: 93 },
  },
  {
    pause,
    blocks: [{ text: "The report on this machine is in output/report.md." }],
    usage: { input: 688, output: 17 },
  },
]
