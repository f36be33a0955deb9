import { type ChildProcess, spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { Socket } from "node:net";
import { basename } from "node:path";

const CHANNEL = "child_process";

/** Knows the workerd process that this process started. */
export interface Children {
  /** Process id of the newest workerd. */
  pid(): number;
  /** Ends the watch after workerd has been stopped in order. */
  release(): void;
}

/**
 * Follows the workerd processes that are started from now on, and ties their lives to this process: if it is
 * killed with no chance to clean up, workerd is killed too, so that nothing keeps the database files open.
 */
export function watchChildren(): Children {
  let workerd_pid = 0;
  const guards: ChildProcess[] = [];

  const onChild = (message: unknown): void => {
    const { process: child } = message as { process: ChildProcess };
    // The channel speaks before the process exists; its id is known when it has spawned.
    child.once("spawn", () => {
      if (child.pid === undefined || !basename(child.spawnfile).startsWith("workerd")) return;
      workerd_pid = child.pid;
      const guard = startGuard(child.pid);
      guards.push(guard);
      child.once("exit", () => dismiss(guard));
    });
  };
  subscribe(CHANNEL, onChild);

  return {
    pid: () => workerd_pid,
    release() {
      unsubscribe(CHANNEL, onChild);
      for (const guard of guards) dismiss(guard);
    },
  };
}

/**
 * A shell that waits for a line on its standard input. The end of this process closes that pipe without one,
 * which is the one signal that even SIGKILL cannot suppress.
 */
function startGuard(pid: number): ChildProcess {
  const script = `read -r order; [ "$order" = dismissed ] || kill -9 ${pid}`;
  const guard = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  guard.on("error", () => {});
  guard.stdin?.on("error", () => {});
  guard.unref();
  if (guard.stdin instanceof Socket) guard.stdin.unref();
  return guard;
}

function dismiss(guard: ChildProcess): void {
  guard.stdin?.end("dismissed\n");
}
