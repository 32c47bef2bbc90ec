import { accessSync, constants, existsSync } from "node:fs"
import { delimiter, join } from "node:path"

/** What the image of the container has, apart from what `start.sh` has tried before there was a daemon. */

/** Where Debian and Ubuntu, Red Hat and Amazon, SUSE, and OpenSSL keep the certificates that programs trust. */
const certificates = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
]

export const hasCertificates = () =>
  [process.env.SSL_CERT_FILE, process.env.SSL_CERT_DIR, ...certificates].some((path) => path && existsSync(path))

const has = (program: string) =>
  (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

/** What agents often need and this image lacks, in words for the log. Nothing of it is needed by every task. */
export const whatIsLacking = (): string[] => [
  ...["bash", "git", "ssh", "curl"].filter((program) => !has(program)),
  ...(hasCertificates() ? [] : ["CA certificates"]),
]
