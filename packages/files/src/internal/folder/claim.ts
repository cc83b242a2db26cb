/**
 * Claims: the files that left the folder and are not done, each in a directory of its own below `processing/`.
 *
 *     folder/name ──claim──▶ 0.held.T/name ──Ack──────────▶ done/name
 *                              │  │  │  └───DeadLetter──▶ failed/name
 *                              │  │  └──Requeue──▶ 1.free.T'/name ──claim──▶ 1.held.T''/name
 *                              │  └─────Release──▶ 0.free.T'/name ──claim──▶ 0.held.T''/name
 *                              └──lease over, taken over──▶ 1.held.T'/name
 *     failed/name ──put back──▶ 0.free.T/name
 *
 * The name of the directory says how often the file was delivered before, whether somebody holds it, and which hand-over
 * that is: it survives a crash, and an old hand-over's name is nowhere any more. The time of the directory's last change
 * is when the lease began: moving the file into it sets it, extending the lease sets it again, and the file itself is
 * never touched. Every arrow is one rename, so of two processes that try one of them one wins; a directory of its own
 * means that a rename never overwrites anything.
 */
import { randomUUID } from "node:crypto"

/** What the name of a directory below `processing/` says. */
export interface ClaimName {
  readonly deliveries: number
  readonly state: "held" | "free"
}

const shape = /^(\d{1,9})\.(held|free)\.[0-9a-f-]{36}$/

export const parseClaimName = (directory: string): ClaimName | undefined => {
  const match = shape.exec(directory)
  return match === null ? undefined : { deliveries: Number(match[1]), state: match[2] === "held" ? "held" : "free" }
}

/** A name that nobody has used. */
export const newClaimName = ({ deliveries, state }: ClaimName): string => `${deliveries}.${state}.${randomUUID()}`

/** A file that is ours: until its lease is over, in milliseconds since 1970. */
export interface Claim {
  readonly name: string
  /** The directory, by its whole path. */
  readonly directory: string
  readonly deliveries: number
  readonly size: number
  readonly modified: number
  readonly until: number
}

/** A claim that anybody may take: given back, or of a lease that is over. */
export interface Open {
  readonly name: string
  readonly directory: string
  /** The count that taking it makes. */
  readonly deliveries: number
}
