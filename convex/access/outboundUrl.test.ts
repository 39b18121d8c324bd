import { describe, expect, test } from "vitest";
import { isLoopbackUrl, outboundUrlProblem } from "./outboundUrl.ts";

test.each([
  "https://alerts.example/daybook",
  "https://alerts.example:8443/a?b=c",
  "https://8.8.8.8/hook",
  "https://[2606:4700::1]/hook",
  "http://127.0.0.1:9000/hook",
  "http://localhost:9000/hook",
  "http://[::1]/hook",
])("%s may be sent to", (url) => {
  expect(outboundUrlProblem(url)).toBeNull();
});

describe("Q01 R52 a private target is refused", () => {
  test.each([
    ...["10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"],
    ...["[fd00::1]", "[fe80::1]", "[::]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]"],
    // The parser's own spellings of 10.0.0.1 and 169.254.169.254.
    ...["0x0a000001", "167772161", "012.0.0.1", "169.16689662", "１0.0.0.1"],
    ...["intranet", "printer.local", "db.internal", "router.home.arpa", "a.localhost", "db.internal."],
  ])("%s", (host) => {
    expect(outboundUrlProblem(`https://${host}/hook`)).toBe("must not lead to a private address");
  });
});

describe("Q03 what two parsers could read as two hosts is refused", () => {
  test.each([
    "https://good.example@evil.example/",
    "https://good.example:pass@evil.example/",
    "https://good.example\\@evil.example/",
    "https:/good.example/",
    "https:good.example",
    "https://good.example/\thook",
    " https://good.example/",
    "https://good.example/\n",
    "https://good.example/#evil",
    "//good.example/",
    "ftp://good.example/",
    "file:///etc/passwd",
    "",
  ])("%j", (url) => {
    expect(outboundUrlProblem(url)).toMatch(/^must be an https URL/);
  });
});

test.each(["http://alerts.example/", "http://8.8.8.8/"])("%s would be sent in clear", (url) => {
  expect(outboundUrlProblem(url)).toBe("must be an https URL; http is allowed for a loopback address only");
});

test("a loopback URL is known in every spelling", () => {
  for (const host of ["127.0.0.1", "localhost", "127.1", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"]) {
    expect([host, isLoopbackUrl(`https://${host}/`)]).toEqual([host, true]);
  }
  expect(isLoopbackUrl("https://localhost.example/")).toBe(false);
});
