/**
 * Names of tables and columns.
 */

/** As standard SQL quotes a name. */
export const quoted = (name: string): string => `"${name.replaceAll("\"", "\"\"")}"`

/** With the 26 letters in lower case. */
export const lower = (name: string): string => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
