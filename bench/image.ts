import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync, constants as zlib, zstdCompressSync } from "node:zlib"
import { build } from "../build/bundle.ts"
import { copy, stagesOf } from "../task-image/test/dockerfile.ts"

// `npm run image:size`: what the task image weighs, layer by layer, as a registry keeps it. It takes no Docker: a layer is what a line of
// the Dockerfile copies, with this machine's Node and busybox (package busybox-static), which for arm64 weigh about the same. Writes
// `golden/image.json`.

const root = join(import.meta.dirname, "..")
const shell = "/bin/busybox"
if (!existsSync(shell)) throw new Error("There is no /bin/busybox here: install the package busybox-static")
const { folder: dist } = await build(root)

const work = mkdtempSync(join(tmpdir(), "dormouse-image-"))
const made = join(work, "made", "dormouse")
mkdirSync(made, { recursive: true })
cpSync(join(dist, "task-image"), made, { recursive: true })
cpSync(shell, join(made, "sh"))
cpSync(process.execPath, join(made, "node"))

const megabytes = (bytes: number) => Math.round(bytes / 100_000) / 10
const last = stagesOf(readFileSync(join(root, "task-image/Dockerfile"), "utf8")).at(-1)!
const layers = last.steps
  .filter(({ verb }) => verb === "COPY")
  .map(({ text }, index) => {
    const layer = join(work, String(index))
    copy(layer, layer, text, { made: join(work, "made") })
    const tar = execFileSync("tar", ["-C", layer, "--owner=0", "--group=0", "-cf", "-", "."], { maxBuffer: 1 << 30 })
    const zstd = zstdCompressSync(tar, { params: { [zlib.ZSTD_c_compressionLevel]: 19 } })
    const files = text.replace("--from=made ", "").split(" ").slice(0, -1).join(" ")
    return { files, mb: megabytes(tar.length), gzipMb: megabytes(gzipSync(tar).length), zstdMb: megabytes(zstd.length) }
  })
rmSync(work, { recursive: true, force: true })

const sum = (part: "mb" | "gzipMb" | "zstdMb") => Math.round(layers.reduce((total, layer) => total + layer[part], 0) * 10) / 10
const golden = { mostMb: 200, gzipMb: sum("gzipMb"), zstdMb: sum("zstdMb"), layers }
console.table([...layers, { files: "all", mb: sum("mb"), gzipMb: golden.gzipMb, zstdMb: golden.zstdMb }])
console.log(`At most ${golden.mostMb} MB compressed: ${golden.gzipMb <= golden.mostMb ? "kept" : "EXCEEDED"}.`)
writeFileSync(join(import.meta.dirname, "golden", "image.json"), `${JSON.stringify(golden, null, 2)}\n`)
