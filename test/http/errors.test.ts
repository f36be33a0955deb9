import { describe, expect, it } from "vitest";
import { AppError, ERRORS, type ErrorCode, problemDocument, problemResponse } from "../../src/http/errors.ts";

describe("an error answer", () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])(
    "%s is a problem document with everything a caller needs",
    async (code) => {
      const response = problemResponse(new AppError(code), "req-1");
      expect(response.status).toBe(ERRORS[code].status);
      expect(response.headers.get("content-type")).toContain("application/problem+json");
      expect(await response.json()).toEqual({
        type: `https://api.altscore.in/errors/${code}`,
        title: ERRORS[code].title,
        status: ERRORS[code].status,
        detail: ERRORS[code].title,
        error_code: code,
        request_id: "req-1",
        action: ERRORS[code].action,
      });
    },
  );

  it("never carries its cause", () => {
    const error = new AppError("INTERNAL_ERROR", { cause: new Error("SELECT secret FROM vault") });
    expect(JSON.stringify(problemDocument(error, "req-1"))).not.toContain("vault");
  });
});
