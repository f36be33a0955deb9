import type { Miniflare } from "miniflare";

/** Calls one method of the Worker's private Provisioning entrypoint; the answer is plain JSON data. */
export type ProvisioningCall = (method: string, input: unknown) => Promise<unknown>;

export const CONTROL_NAME = "altscore-control";

/**
 * A second Worker, local only, whose one job is to hand calls from this process to the private entrypoint:
 * it holds the service binding that nothing on the network can name. The token keeps out whoever finds
 * workerd's internal port.
 */
export const CONTROL_SCRIPT = `
export default {
  async fetch(request, env) {
    if (request.headers.get("authorization") !== env.TOKEN) return new Response(null, { status: 403 });
    const { method, input } = await request.json();
    return Response.json((await env.PROVISIONING[method](input)) ?? null);
  },
};
`;

/** The way from this process to the Provisioning entrypoint of a running simulator. */
export function provisioningThrough(mf: Miniflare, token: string): ProvisioningCall {
  return async (method, input) => {
    const control = await mf.getWorker(CONTROL_NAME);
    const response = await control.fetch("http://control/", {
      method: "POST",
      headers: { authorization: token, "content-type": "application/json" },
      body: JSON.stringify({ method, input: input ?? {} }),
    });
    if (!response.ok) throw new Error(`provisioning ${method} failed: ${await response.text()}`);
    return await response.json();
  };
}
