/**
 * The event of the process by which `Ergon.main` tells the command `ergon` that it was called. The two may come from
 * different installations, so that no variable could carry it.
 */
export const called = "@ergon/cli/main"

export const tellCalled = (): void => void process.emit(called as never, undefined as never)
