/** SQLite's extended result code in an error of `node:sqlite`; 0 where there is none. */
export const resultCode = (error: unknown): number =>
  typeof error === "object" && error !== null && "errcode" in error && typeof error.errcode === "number"
    ? error.errcode
    : 0
