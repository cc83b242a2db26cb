/** The version of this package: a resource tells it. */
export const version = "0.1.0"
