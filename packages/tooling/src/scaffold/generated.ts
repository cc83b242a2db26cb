/**
 * What the packed `ergon init` refuses, and that it leaves nothing behind when the disk does.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import type { Children, Ended } from "./child.ts"
import type { Place } from "./place.ts"

const says = (what: string, ended: Ended, code: number, text: string): ReadonlyArray<string> =>
  ended.code === code && ended.output.includes(text)
    ? []
    : [`${what}: ended with ${ended.code}, not ${code}, and without "${text}": ${ended.output}`]

export const overwritesNothing = async ({ run }: Children, place: Place): Promise<ReadonlyArray<string>> => {
  const directory = path.join(place.directory, "refusals")
  fs.mkdirSync(path.join(directory, "taken"), { recursive: true })
  fs.writeFileSync(path.join(directory, "taken/mine"), "mine")
  const before = fs.readdirSync(directory, { recursive: true, encoding: "utf8" }).toSorted()

  // No file above 1 KiB may be written: what a disk does that fills up in the middle.
  const ergon = path.join(place.directory, "node_modules/.bin/ergon")
  const limited = `ulimit -f 1; exec node "${ergon}" init full`
  const found = [
    ...says("a folder that is taken", await run(directory, [ergon, "init", "taken"]), 2, "is not empty: it has mine"),
    ...says("a path", await run(directory, [ergon, "init", "../elsewhere"]), 2, "give its name alone"),
    ...says("a name", await run(directory, [ergon, "init", "My Shop"]), 2, "Did you mean \"my-shop\"?"),
    ...says("a template", await run(directory, [ergon, "init", "shop", "--template", "hybird"]), 2, "hybrid"),
    ...says("a full disk", await run(directory, ["sh", "-c", limited]), 1, "could not make")
  ]
  const after = fs.readdirSync(directory, { recursive: true, encoding: "utf8" }).toSorted()
  return JSON.stringify(before) === JSON.stringify(after)
    ? found
    : [...found, `ergon init left something behind: ${after.filter((one) => !before.includes(one)).join(", ")}`]
}
