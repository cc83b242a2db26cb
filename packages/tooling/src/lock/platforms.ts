/**
 * `npm ci` refuses a lock file in which an optional dependency for another platform has no entry, and `npm install`
 * leaves such an entry out when it cannot fetch the package. This completes the lock file: name and version come from
 * the package that wants it, platform from its name. No such entry is ever installed on the platform that wrote it.
 */

export interface Entry {
  readonly version?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

export interface LockFile {
  readonly packages: Readonly<Record<string, Entry>>
  readonly [field: string]: unknown
}

const systems: Readonly<Record<string, string>> = {
  aix: "aix",
  android: "android",
  darwin: "darwin",
  freebsd: "freebsd",
  linux: "linux",
  netbsd: "netbsd",
  openbsd: "openbsd",
  openharmony: "openharmony",
  sunos: "sunos",
  win32: "win32"
}

const processors = new Set(["arm", "arm64", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"])

/** The fields by which npm skips a package on other platforms; `undefined` when the name does not say its platform. */
export const platformOf = (name: string): Readonly<Record<string, ReadonlyArray<string>>> | undefined => {
  const words = name.split(/[/-]/)
  const os = words.find((word) => word in systems)
  const cpu = words.find((word) => processors.has(word))
  if (os === undefined || cpu === undefined) return undefined
  const libc = os !== "linux" ? undefined : words.some((word) => word.startsWith("musl"))
    ? "musl"
    : words.some((word) => word === "glibc" || word.startsWith("gnu"))
    ? "glibc"
    : undefined
  return { cpu: [cpu], ...libc === undefined ? {} : { libc: [libc] }, os: [os] }
}

/** Where npm finds `name` for the package at `from`: in its own node_modules or in one above. */
const isPresent = (lock: LockFile, from: string, name: string): boolean => {
  for (let at = from;;) {
    if (`${at === "" ? "" : `${at}/`}node_modules/${name}` in lock.packages) return true
    if (at === "") return false
    at = at.includes("/node_modules/") ? at.slice(0, at.lastIndexOf("/node_modules/")) : ""
  }
}

/** Adds what is missing, sorted as npm sorts. Throws on a name whose platform it cannot tell. */
export const complete = (lock: LockFile): { readonly lock: LockFile; readonly added: ReadonlyArray<string> } => {
  const added = new Map<string, Entry>()
  for (const [from, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (isPresent(lock, from, name)) continue
      const platform = platformOf(name)
      if (platform === undefined) {
        if (/wasi?m?/.test(name)) continue
        throw new Error(`${from} wants ${name}, and its name does not say for which platform`)
      }
      added.set(`node_modules/${name}`, { version, ...dev === true ? { dev } : {}, optional: true, ...platform })
    }
  }
  const packages = Object.fromEntries(
    [...Object.entries(lock.packages), ...added].sort(([left], [right]) => left.localeCompare(right, "en"))
  )
  return { lock: { ...lock, packages }, added: [...added.keys()] }
}
