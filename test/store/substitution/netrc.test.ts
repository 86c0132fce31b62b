import { describe, expect, test } from "vitest";
import { Netrc } from "../../../src/store/substitution/netrc.js";

describe("Netrc", () => {
  const netrc = Netrc.parse(`
# machine commented.example login no password no
machine cache.example login reader password s3cret
machine macro.example
  login with
  password macro
macdef init
  cd /pub
  machine inside.example login a password b

machine quoted.example login "a b" password "say \\"hi\\"" account none
default login anonymous password guest
machine late.example login never password reached
`);

  test.each([
    ["cache.example", "reader", "s3cret"],
    ["CACHE.example", "reader", "s3cret"],
    ["macro.example", "with", "macro"],
    ["quoted.example", "a b", 'say "hi"'],
    ["inside.example", "anonymous", "guest"],
    ["commented.example", "anonymous", "guest"],
    ["late.example", "anonymous", "guest"],
  ])("finds what to tell %s", (host, login, password) => {
    expect(netrc.find(host)).toMatchObject({ login, password });
  });

  test("has nothing for others without a default", () => {
    expect(Netrc.parse("machine a login b password c").find("d")).toBeUndefined();
    expect(Netrc.parse("").find("d")).toBeUndefined();
  });

  test.each([
    ["machine", /nothing follows the last "machine"/],
    ["machine a login", /nothing follows the last "login"/],
    ["login secret", /does not begin with a machine/],
    ["machine a password x hunter2", /unknown word in entry 1$/],
  ])("refuses %j without a word of what may be secret", (text, message) => {
    expect(() => Netrc.parse(text)).toThrow(message);
  });
});
