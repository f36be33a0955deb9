import { requireLender } from "../auth/bearer.ts";
import { mount, newRouter } from "../http/routing.ts";
import { errorAnswers } from "../http/schemas.ts";
import { queryParameters } from "../http/validation.ts";
import { notificationsAnswer, notificationsQuery } from "./schemas.ts";
import { listNotifications } from "./service.ts";

/** The feed of a lender's notices (docs/webhooks.md). */
export const notificationRouter = newRouter();

mount(
  notificationRouter,
  {
    method: "get",
    path: "/v1/notifications",
    tags: ["Notifications"],
    summary: "The lender's notices, oldest first; 90 days of them",
    security: [{ bearer: [] }],
    request: { query: notificationsQuery },
    responses: {
      200: { description: "A page", content: { "application/json": { schema: notificationsAnswer } } },
      ...errorAnswers(400, 401, 403, 503),
    },
  },
  async (c) => {
    const { subject } = await requireLender(c, "notification:read");
    const { cursor = null, limit } = queryParameters(c, notificationsQuery);
    return c.json(await listNotifications(c.env, subject, { cursor, limit }));
  },
);
