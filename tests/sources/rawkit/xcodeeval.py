"""Competition problems and programs for them, in the languages that the xCodeEval fixtures have."""
# ruff: noqa: E501 - rows of data

PROBLEMS = {
    "sum": "You are given $$$n$$$ integers. Print their sum. The first line contains $$$n$$$ ($$$1 \\le n \\le 100$$$).",
    "parity": "Print YES if the number $$$x$$$ is even, otherwise NO.",
    "reverse": "Print the string $$$s$$$ backwards. It has lower-case Latin letters only.",
    "largest": "Given $$$n$$$ numbers, print the largest of them.",
    "vowels": "Count the vowels (a, e, i, o, u) of the word $$$w$$$.",
    "triangle": "Three sticks have lengths $$$a$$$, $$$b$$$ and $$$c$$$. Do they form a triangle?",
}
PROGRAMS = {
    "C": {
        "sum": ["#include <stdio.h>\nint main()\n{\n    int n, x, s = 0;\n    scanf(\"%d\", &n);\n    while (n--) { scanf(\"%d\", &x); s += x; }\n    printf(\"%d\\n\", s);\n    return 0;\n}\n",
                "#include <stdio.h>\nint main(){int n,x;long long t=0;scanf(\"%d\",&n);for(int i=0;i<n;i++){scanf(\"%d\",&x);t+=x;}printf(\"%lld\",t);}"],
        "parity": ["#include <stdio.h>\nint main() {\n\tint x;\n\tscanf(\"%d\", &x);\n\tputs(x % 2 ? \"NO\" : \"YES\");\n}\n",
                   "#include<stdio.h>\r\nint main(){int x;scanf(\"%d\",&x);if(x&1)printf(\"NO\");else printf(\"YES\");}\r\n"],
        "largest": ["#include <stdio.h>\nint main() {\n  int n, x, m = -1000000;\n  for (scanf(\"%d\", &n); n--;) {\n    scanf(\"%d\", &x);\n    if (x > m) m = x;\n  }\n  printf(\"%d\", m);\n}"],
    },
    "C++": {
        "sum": ["#include <iostream>\nusing namespace std;\nint main() {\n    int n, x, s = 0;\n    cin >> n;\n    while (cin >> x) s += x;\n    cout << s;\n}\n"],
        "parity": ["#include <bits/stdc++.h>\nint main() { int x; std::cin >> x; std::cout << (x % 2 == 0 ? \"YES\" : \"NO\"); }"],
        "reverse": ["#include <bits/stdc++.h>\nusing namespace std;\nint main() { string s; cin >> s; reverse(s.begin(), s.end()); cout << s; }"],
        "largest": ["#include <iostream>\n#include <algorithm>\nint main() {\n  int n, x, m = INT_MIN;\n  std::cin >> n;\n  while (std::cin >> x) m = std::max(m, x);\n  std::cout << m;\n}"],
    },
    "C#": {
        "sum": ["using System;\nusing System.Linq;\nclass P {\n  static void Main() {\n    Console.ReadLine();\n    Console.WriteLine(Console.ReadLine().Split().Sum(int.Parse));\n  }\n}"],
        "parity": ["using System;\nclass P { static void Main() { Console.Write(int.Parse(Console.ReadLine()) % 2 == 0 ? \"YES\" : \"NO\"); } }"],
        "vowels": ["using System;\nusing System.Linq;\nclass P { static void Main() { Console.Write(Console.ReadLine().Count(c => \"aeiou\".Contains(c))); } }"],
    },
    "Python": {
        "sum": ["n = int(input())\nprint(sum(map(int, input().split())))\n", "input()\ns = 0\nfor x in input().split():\n    s += int(x)\nprint(s)"],
        "parity": ["print('NO' if int(input()) % 2 else 'YES')"],
        "reverse": ["print(input()[::-1])", "s = list(input())\ns.reverse()\nprint(''.join(s))"],
        "vowels": ["w = input()\nprint(sum(w.count(v) for v in 'aeiou'))"],
        "triangle": ["a, b, c = sorted(map(int, input().split()))\nprint('YES' if a + b > c else 'NO')"],
    },
    "Java": {
        "sum": ["import java.util.*;\nclass Main {\n  public static void main(String[] a) {\n    Scanner in = new Scanner(System.in);\n    int n = in.nextInt(), s = 0;\n    while (n-- > 0) s += in.nextInt();\n    System.out.println(s);\n  }\n}"],
        "reverse": ["class Main { public static void main(String[] a) { System.out.print(new StringBuilder(new java.util.Scanner(System.in).next()).reverse()); } }"],
    },
}  # fmt: skip


PARTS = {
    problem: {
        "description": text,
        "input_spec": "See the statement.",
        "output_spec": "One line.",
        "sample_inputs": ["1"],
        "notes": None,
    }
    for problem, text in PROBLEMS.items()
}
"""The problems as the files have them; some copies have the description alone, as a text."""


def listed(codes: list[str], *, objects: bool) -> list[object]:
    """Return programs as the files have them, or as the documentation shows them."""
    return [{"source_code": code, "code_uid": f"{n:032d}"} if objects else code for n, code in enumerate(codes)]


def uid(problem: str) -> str:
    return f"{problem.encode().hex():0<32}"


def programs(language: str) -> list[tuple[str, str]]:
    """Return (problem, program) of a language."""
    return [(problem, code) for problem, codes in PROGRAMS[language].items() for code in codes]
