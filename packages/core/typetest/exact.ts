/** Whether two types are the same, not only assignable both ways: `any` equals nothing else, and unions count. */
export type Exact<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

/** Compiles for `true` only: `is<Exact<A, B>>()`. */
export const is = <_ extends true>(): void => {}
