//! Invents histories: a `git fast-import` stream from a number. The same number gives the same history.
//!
//! What is rare in life is frequent here: renames near the threshold, binary files, line ends that change, names that
//! are no text, links, submodules, merges of three, branches that begin long ago or take the main line in again,
//! clocks that run backwards. Every file ends with a line end: git up to 2.43 overlooked what stands behind the last one
//! when it looked for renames.

use std::collections::BTreeMap;

/// Words that lines are made of: few, so that lines repeat and comparing them is ambiguous.
const WORDS: [&str; 12] =
    ["", "}", "{", "return", "end", "let a = 1;", "let b = 2;", "// why", "if x {", "else", "fn f() {", "use z;"];

const PATHS: [&[u8]; 14] = [
    b"README.md",
    b"src/main.rs",
    b"src/lib.rs",
    b"src/a/mod.rs",
    b"src/b/mod.rs",
    b"docs/guide.md",
    b"logo.png",
    b"a b/c d.txt",
    b"caf\xc3\xa9.txt",
    b"latin\xe9.txt",
    b"deep/er/and/deeper/file.txt",
    b"Makefile",
    b"empty",
    b"vendor/mod.rs",
];

type Tree = BTreeMap<Vec<u8>, (&'static str, Vec<u8>)>;

/// A commit that others can build on.
#[derive(Clone)]
struct Made {
    mark: usize,
    tree: Tree,
}

pub(crate) struct Story {
    random: u64,
    stream: Vec<u8>,
    marks: usize,
    clock: i64,
    numbers: usize,
    line: Vec<Made>,
    fresh_paths: usize,
}

impl Story {
    pub(crate) fn tell(seed: u64, landings: usize) -> Vec<u8> {
        let mut story = Self {
            random: seed | 1,
            stream: Vec::new(),
            marks: 0,
            clock: 1_600_000_000,
            numbers: 0,
            line: Vec::new(),
            fresh_paths: 0,
        };
        let root = story.commit("refs/heads/main", "Begin", &[], &Tree::new());
        story.line.push(root);
        for _ in 0..landings {
            story.land();
        }
        story.tags();
        story.stream
    }

    fn below(&mut self, limit: usize) -> usize {
        // xorshift64*: small, and the same on every machine.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    fn one_in(&mut self, limit: usize) -> bool {
        self.below(limit) == 0
    }

    fn tip(&self) -> Made {
        self.line.last().unwrap().clone()
    }

    fn land(&mut self) {
        self.numbers += 1;
        let (number, tip) = (self.numbers, self.tip());
        let made = match self.below(8) {
            0 => self.commit("refs/heads/main", "Push", &[tip.mark], &tip.tree),
            1..=3 => self.commit("refs/heads/main", &format!("Squash (#{number})"), &[tip.mark], &tip.tree),
            4 => {
                self.commit("refs/heads/main", &format!("Revert \"Squash (#{})\"", number - 1), &[tip.mark], &tip.tree)
            }
            kind => {
                let message = match kind {
                    5 => format!("Merge pull request #{number} from a/b\n\nTitle"),
                    6 => format!("Merge branch 'b'\n\nTitle\n\nSee merge request a/b!{number}"),
                    _ => "Merge branch 'b'".to_owned(),
                };
                let mut parents = vec![tip.mark];
                for _ in 0..=usize::from(self.one_in(4)) {
                    parents.push(self.side());
                }
                self.commit("refs/heads/main", &message, &parents, &tip.tree)
            }
        };
        self.line.push(made);
    }

    /// A branch of a few commits that begins anywhere on the line; the mark of its head.
    fn side(&mut self) -> usize {
        let begin = self.below(self.line.len());
        let mut head = self.line[begin].clone();
        for _ in 0..=self.below(4) {
            let mut parents = vec![head.mark];
            if self.one_in(4) {
                let other = self.below(self.line.len());
                parents.push(self.line[other].mark);
            }
            parents.dedup();
            head = self.commit("refs/heads/side", "Work", &parents, &head.tree);
        }
        head.mark
    }

    fn tags(&mut self) {
        for nth in 0..=self.below(8) {
            let landed = self.below(self.line.len());
            let mark = if self.one_in(3) { self.side() } else { self.line[landed].mark };
            let name = if self.one_in(3) { format!("v1.{nth}.0-rc.1") } else { format!("v1.{nth}.0") };
            if self.one_in(2) {
                self.clock += 60;
                let tag = format!("tag {name}\nfrom :{mark}\ntagger T <t@x> {} +0000\ndata 1\nx\n", self.clock);
                self.stream.extend_from_slice(tag.as_bytes());
            } else {
                self.stream.extend_from_slice(format!("reset refs/tags/{name}\nfrom :{mark}\n\n").as_bytes());
            }
        }
        // At least one must deploy.
        let mark = self.tip().mark;
        self.stream.extend_from_slice(format!("reset refs/tags/v2.0.0\nfrom :{mark}\n\n").as_bytes());
    }

    fn commit(&mut self, branch: &str, message: &str, parents: &[usize], before: &Tree) -> Made {
        self.marks += 1;
        self.clock += 1 + self.below(5_000) as i64;
        let mark = self.marks;
        let authored = self.clock - 40_000 + self.below(50_000) as i64;
        let mut head = format!("commit {branch}\nmark :{mark}\nauthor A <a@x> {authored} +0100\n");
        head += &format!("committer C <c@x> {} -0800\ndata {}\n{message}\n", self.clock, message.len());
        for (nth, parent) in parents.iter().enumerate() {
            head += &format!("{} :{parent}\n", if nth == 0 { "from" } else { "merge" });
        }
        self.stream.extend_from_slice(head.as_bytes());
        let mut tree = before.clone();
        if !self.one_in(10) {
            for _ in 0..=self.below(5) {
                self.change(&mut tree);
            }
        }
        self.write(before, &tree);
        self.stream.push(b'\n');
        Made { mark, tree }
    }

    fn write(&mut self, before: &Tree, after: &Tree) {
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            self.stream.extend_from_slice(&[b"D ", path.as_slice(), b"\n"].concat());
        }
        for (path, (mode, content)) in after.iter().filter(|(path, file)| before.get(*path) != Some(file)) {
            let head = if *mode == "160000" {
                [b"M 160000 ", content.as_slice(), b" ", path.as_slice(), b"\n"].concat()
            } else {
                let size = format!("data {}\n", content.len());
                let head = format!("M {mode} inline ");
                [head.as_bytes(), path, b"\n", size.as_bytes(), content, b"\n"].concat()
            };
            self.stream.extend_from_slice(&head);
        }
    }

    fn change(&mut self, tree: &mut Tree) {
        let count = tree.len();
        let nth = self.below(count.max(1));
        let picked = tree.iter().nth(nth).map(|(path, file)| (path.clone(), file.clone()));
        match (self.below(16), picked) {
            (0..=2, _) | (_, None) => {
                let path = self.path();
                let content = self.text();
                put(tree, path, ("100644", content));
            }
            (3..=8, Some((path, (mode, content)))) if mode != "160000" => {
                let content = self.edited(&content);
                put(tree, path, (mode, content));
            }
            (9..=11, Some((path, (mode, content)))) => {
                tree.remove(&path);
                let content = if mode == "160000" || self.one_in(3) { content } else { self.edited(&content) };
                let to = self.path();
                put(tree, to, (mode, content));
            }
            (12, Some((path, (mode, content)))) if mode.starts_with("100") => {
                put(tree, path, (if mode == "100644" { "100755" } else { "100644" }, content));
            }
            (13, Some((path, _))) => {
                tree.remove(&path);
            }
            (14, Some((path, _))) if self.one_in(2) => put(tree, path, ("120000", b"target".to_vec())),
            (14 | 15, Some(_)) => {
                let path = self.path();
                let sha = format!("{:040x}", self.below(1 << 30));
                put(tree, path, ("160000", sha.into_bytes()));
            }
            _ => {}
        }
    }

    fn path(&mut self) -> Vec<u8> {
        if self.one_in(2) {
            return PATHS[self.below(PATHS.len())].to_vec();
        }
        self.fresh_paths += 1;
        let folder = ["", "src/", "src/a/", "docs/"][self.below(4)];
        format!("{folder}file{}.txt", self.fresh_paths).into_bytes()
    }

    fn text(&mut self) -> Vec<u8> {
        let lines = if self.one_in(8) { 0 } else { self.below(60) };
        let ending: &[u8] = if self.one_in(6) { b"\r\n" } else { b"\n" };
        let mut text = Vec::new();
        if self.one_in(10) {
            text.extend_from_slice(b"\x89PNG\0\n");
        }
        for _ in 0..lines {
            let line = self.line_of_text();
            text.extend_from_slice(&line);
            text.extend_from_slice(ending);
        }
        text
    }

    fn line_of_text(&mut self) -> Vec<u8> {
        let number = self.below(500);
        let word = WORDS[self.below(WORDS.len())];
        match self.below(4) {
            0 => format!("{word} {number}").into_bytes(),
            1 => word.repeat(1 + number % 20).into_bytes(),
            _ => word.as_bytes().to_vec(),
        }
    }

    /// A few places changed, or half of everything, or only the line ends.
    fn edited(&mut self, content: &[u8]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = content.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        if self.one_in(10) {
            return content.split(|&byte| byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]);
        }
        let edits = if self.one_in(3) { 1 + lines.len() / 2 } else { 1 + self.below(4) };
        for _ in 0..edits {
            let at = self.below(lines.len() + 1);
            let line = [self.line_of_text(), b"\n".to_vec()].concat();
            match self.below(4) {
                0 => lines.insert(at, line),
                1 if at < lines.len() => drop(lines.remove(at)),
                2 if !lines.is_empty() => {
                    let other = self.below(lines.len());
                    let moved = lines.remove(other);
                    lines.insert(at.min(lines.len()), moved);
                }
                _ if at < lines.len() => lines[at] = line,
                _ => lines.push(line),
            }
        }
        lines.concat()
    }
}

/// Puts a file, and takes away what cannot be beside it: a folder where it is a file, or the reverse.
fn put(tree: &mut Tree, path: Vec<u8>, file: (&'static str, Vec<u8>)) {
    let folder = [path.as_slice(), b"/"].concat();
    tree.retain(|other, _| !other.starts_with(&folder) && !path.starts_with(&[other.as_slice(), b"/"].concat()));
    tree.insert(path, file);
}
