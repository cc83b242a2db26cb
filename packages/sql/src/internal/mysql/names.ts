/**
 * Names as MariaDB and MySQL quote them, and which of the two it is.
 */

/** Between backquotes, whatever the SQL mode. */
export const quoted = (name: string): string => `\`${name.replaceAll("`", "``")}\``

export interface Flavor {
  readonly name: "MariaDB" | "MySQL"
  /** Compares texts byte by byte, trailing spaces too. */
  readonly collation: string
}

export const flavorOf = (version: string): Flavor =>
  /mariadb/i.test(version)
    ? { name: "MariaDB", collation: "utf8mb4_nopad_bin" }
    : { name: "MySQL", collation: "utf8mb4_0900_bin" }

/** Of ids and keys, so that an index can hold them. */
export const longestId = 512
