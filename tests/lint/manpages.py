"""Every man page source builds with scdoc, and each program has its page."""

from tree import output

EXPECTED = ("execward.1.scd", "execward-allowlist.1.scd", "execwardd.8.scd", "execward.yaml.5.scd")
PAGE = 'execward(1)\n\n# NAME\n\nexecward - asks the daemon\n'


class Manpages:
    NAME = "manpages"
    PLANTS = [[("docs/man/" + name, PAGE) for name in EXPECTED] + [("docs/man/execward.1.scd", "no preamble\n")],
              [("docs/man/execward.1.scd", PAGE)]]
    CLEAN = [("docs/man/" + name, PAGE) for name in EXPECTED]

    @staticmethod
    def check(tree):
        findings = []
        pages = list(tree.files(("docs/man",), (".scd",)))
        names = {page.name for page in pages}
        findings += [f"docs/man/{name} is missing" for name in EXPECTED if name not in names]
        for page in pages:
            with page.open(encoding="utf-8") as source:
                code, text = output("scdoc", stdin=source)
            if code != 0:
                findings.append(f"{tree.name(page)}: {text.strip()}")
        return findings


RULES = (Manpages,)
