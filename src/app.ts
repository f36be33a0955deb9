import { noteAuthFailure } from "./auth/failures.ts";
import { authRouter } from "./auth/routes.ts";
import { consentRouter } from "./consent/routes.ts";
import { grievanceRouter } from "./grievance/routes.ts";
import type { AppContext } from "./http/context.ts";
import { AppError, problemResponse } from "./http/errors.ts";
import { requestFrame, requireTls } from "./http/middleware.ts";
import { openApiDocument } from "./http/openapi.ts";
import { allowedMethods, newRouter } from "./http/routing.ts";
import { ingestionRouter } from "./ingestion/routes.ts";
import { causeText } from "./lib/cause.ts";
import { notificationRouter } from "./notifications/routes.ts";
import { rightsRouter } from "./rights/routes.ts";
import { scoreRouter } from "./score/routes.ts";
import { webhookRouter } from "./webhooks/routes.ts";
import { whatsappRouter } from "./whatsapp/routes.ts";

/** The HTTP application: every router of the public API under one frame. */
export const app = newRouter();

app.use(requestFrame, requireTls);
app.route("/", authRouter);
app.route("/", scoreRouter);
app.route("/", consentRouter);
app.route("/", ingestionRouter);
app.route("/", grievanceRouter);
app.route("/", rightsRouter);
app.route("/", notificationRouter);
app.route("/", webhookRouter);
app.route("/", whatsappRouter);
app.get("/openapi.json", (c) => {
  // The reference needs a credential outside local mode (api.md §1); the admin plane will give one.
  if (c.get("config").ENVIRONMENT === "production") throw new AppError("NOT_FOUND");
  return c.json(openApiDocument(app));
});

app.notFound((c) => {
  const methods = allowedMethods(app, c.req.path);
  const error =
    methods.length === 0
      ? new AppError("NOT_FOUND")
      : new AppError("METHOD_NOT_ALLOWED", { headers: { Allow: methods.join(", ") } });
  return answerError(c, error);
});

app.onError((thrown, c) => {
  const error = thrown instanceof AppError ? thrown : new AppError("INTERNAL_ERROR", { cause: thrown });
  return answerError(c, error);
});

function answerError(c: AppContext, error: AppError): Response {
  // The frame may have failed before it set these (bad environment): answer all the same.
  const log = c.get("log") ?? {};
  log.error_code = error.code;
  noteAuthFailure(c, error.code);
  if (error.cause !== undefined) {
    const cause = error.cause;
    console.error(
      JSON.stringify({
        request_id: c.get("request_id"),
        error_code: error.code,
        cause: causeText(cause),
      }),
    );
  }
  return problemResponse(error, c.get("request_id") ?? "");
}
