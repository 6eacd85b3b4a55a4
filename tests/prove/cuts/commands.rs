//! Every command that changes a state or a key: traced, cut at every call, and run again after a cut.

use super::*;

/// What a key is put under.
const PASSPHRASE: &str = "correct horse battery staple";
/// The least work there is.
const WORK: [&str; 2] = ["--work", "10"];

/// One command and what a cut may leave of it.
#[derive(Default)]
struct Order {
    name: &'static str,
    args: Vec<String>,
    /// What it says when everything is done.
    done: &'static str,
    /// What may be on the disk besides what was there and what the command makes.
    between: Vec<Loaded>,
    /// Every key that must be whole in each state, under some name, in one of these forms.
    kept: Vec<Vec<Vec<u8>>>,
    /// What the state is handed over in: with it there, the copy that stays is retired.
    handed: Option<PathBuf>,
    /// Whether the key is there as soon as anything is said.
    speaks_of_key: bool,
    /// Whether it ends in the same way if it is run again after a cut: a key's mark knows the file it was
    /// made for, so that after a cut that was only played it is void.
    repeats: bool,
}

/// A command: before it is done, what was there or what it makes; afterwards, exactly what it made.
#[derive(Clone)]
struct Commands<'a> {
    order: &'a Order,
    key: &'a Path,
    initial: Loaded,
    reached: Loaded,
    end: &'a BTreeMap<PathBuf, Vec<u8>>,
    has_spoken: bool,
    is_done: bool,
}

impl Rule for Commands<'_> {
    fn hear(&mut self, said: &[u8]) {
        self.has_spoken = true;
        self.is_done |= contains(said, self.order.done);
    }

    fn admits(&self, cut: &Cut, loaded: Loaded) -> Result<(), String> {
        let Self { order, end, .. } = self;
        if self.is_done {
            let is_end = cut.iter().count() == end.len()
                && cut
                    .iter()
                    .all(|(path, bytes)| end.get(path).is_some_and(|end| end.as_slice() == bytes));
            return if is_end && loaded == self.reached {
                Ok(())
            } else {
                Err(format!("{loaded:?}, and not all is there that was done"))
            };
        }
        let known = [self.initial, self.reached];
        if !known.contains(&loaded) && !order.between.contains(&loaded) {
            return Err(format!("{loaded:?}, neither before nor after it"));
        }
        for forms in &order.kept {
            if !is_somewhere(cut.iter(), forms) {
                return Err("a key is lost".to_owned());
            }
        }
        if self.has_spoken
            && order.speaks_of_key
            && cut.get(self.key) != end.get(self.key).map(Vec::as_slice)
        {
            return Err("the key is not there that was spoken of".to_owned());
        }
        if let Some(handed) = &order.handed
            && cut.get(handed) == end.get(handed).map(Vec::as_slice)
            && !matches!(loaded, Loaded::Retired(_))
        {
            return Err(format!("handed over, and still {loaded:?}"));
        }
        Ok(())
    }
}

/// Whether a file that is not a temporary one has one of these contents.
fn is_somewhere<'a>(files: impl Iterator<Item = (&'a Path, &'a [u8])>, forms: &[Vec<u8>]) -> bool {
    files
        .filter(|(path, _)| {
            let name = path.file_name().unwrap_or_default();
            !name.to_string_lossy().starts_with('.')
        })
        .any(|(_, bytes)| forms.iter().any(|form| form == bytes))
}

impl Cuts<'_> {
    pub(super) fn commands(&mut self) -> Result<u32, Box<dyn std::error::Error>> {
        let states = self.states()?;
        let keys = self.keys()?;
        self.home()?;
        Ok(states + keys + 1)
    }

    /// A home of several new directories, with the validator's key in it.
    fn home(&mut self) -> Outcome {
        let node = Node::new(&self.ground.on_disk("command")?, CHAIN)?;
        let input = node_files(&node.home.path(""))?;
        fs::set_permissions(&input, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let home = node.home.path("new/deeper/home");
        let words = [
            "init",
            "--chain-id",
            CHAIN,
            "--addr",
            "unix:///node.sock",
            "--key",
            &input,
        ];
        let mut args = words.map(str::to_owned).to_vec();
        args.push(home.display().to_string());
        let order = Order {
            name: "init of a home",
            args,
            done: "next: ",
            ..Order::default()
        };
        let layout = Layout {
            root: layout(&node).root,
            state: home.join(format!("state/{CHAIN}-consensus.json")),
            key: home.join(format!("secrets/{CHAIN}-consensus.key")),
        };
        self.command_in(&node, &layout, &order)
    }

    fn states(&mut self) -> Result<u32, Box<dyn std::error::Error>> {
        let mut count = 0;
        let retired = |proof: &Self, node: &Node| proof.state(node, &["retire", CHAIN]);
        let at_900 = |proof: &Self, node: &Node| proof.state(node, &["init", "--height", "900"]);
        let mut run = |proof: &mut Self,
                       name: &'static str,
                       prepare: &dyn Fn(&Self, &Node) -> Outcome,
                       words: &[&str],
                       done: &'static str,
                       between: &[Loaded]| {
            let node = Node::new(&proof.ground.on_disk("command")?, CHAIN)?;
            prepare(proof, &node)?;
            let input = node.home.path("input.json");
            fs::write(&input, filepv(500)?)?;
            let output = node.home.path("output.json");
            let mut args = vec!["state".to_owned(), words[0].to_owned(), "-c".to_owned()];
            args.push(node.home.config().display().to_string());
            args.extend(words[1..].iter().map(|word| match *word {
                "INPUT" => input.display().to_string(),
                "OUTPUT" => output.display().to_string(),
                word => word.to_owned(),
            }));
            let hands_over = words.contains(&"OUTPUT") && !words.contains(&"--keep");
            count += 1;
            proof.command(
                &node,
                &Order {
                    name,
                    args,
                    done,
                    between: between.to_vec(),
                    handed: hands_over.then_some(output),
                    repeats: true,
                    ..Order::default()
                },
            )
        };
        let nothing = |_: &Self, _: &Node| Ok(());
        let init = |proof: &Self, node: &Node| node.init(proof.ground);
        let lay = |text: String| {
            move |_: &Self, node: &Node| Ok(fs::write(node.home.state_file(CHAIN), &text)?)
        };
        let damage = |proof: &Self, node: &Node| {
            node.init(proof.ground)?;
            let path = node.home.state_file(CHAIN);
            let mut bytes = fs::read(&path)?;
            bytes[4100] ^= 1;
            Ok(fs::write(&path, bytes)?)
        };
        let signed = |proof: &Self, node: &Node| {
            node.init(proof.ground)?;
            let input = node.home.path("earlier.json");
            fs::write(&input, filepv(500)?)?;
            proof.state(node, &["import", CHAIN, input.to_str().ok_or("no text")?])
        };
        let over = |proof: &Self, node: &Node| {
            signed(proof, node)?;
            Ok(fs::write(node.home.path("output.json"), tmkms(400))?)
        };
        let signed_and_retired = |proof: &Self, node: &Node| {
            signed(proof, node)?;
            retired(proof, node)
        };
        let retired_900 = |proof: &Self, node: &Node| {
            node.init(proof.ground)?;
            at_900(proof, node)?;
            retired(proof, node)
        };
        let retired_new = |proof: &Self, node: &Node| {
            node.init(proof.ground)?;
            retired(proof, node)
        };
        let high = |proof: &Self, node: &Node| {
            node.init(proof.ground)?;
            at_900(proof, node)
        };
        let at_start_of_900 = Position::new(900, 0, None).ok_or("a position")?;
        let import = ["import", CHAIN, "INPUT"];
        let force = [
            "import",
            CHAIN,
            "INPUT",
            "--force",
            "--chain-id-again",
            CHAIN,
        ];

        run(self, "init", &nothing, &["init"], "made ", &[])?;
        run(
            self,
            "init, raising",
            &init,
            &["init", "--height", "500"],
            "raised ",
            &[],
        )?;
        run(
            self,
            "init, over a foreign one",
            &lay(filepv(400)?),
            &["init", "--height", "500"],
            "raised ",
            &[],
        )?;
        run(
            self,
            "init, of a retired one",
            &retired_new,
            &["init", "--height", "500"],
            "no longer retired",
            &[],
        )?;
        run(
            self,
            "init, of a damaged one",
            &damage,
            &["init", "--height", "500"],
            "made ",
            &[Loaded::Missing],
        )?;
        run(self, "import", &nothing, &import, "made ", &[])?;
        run(self, "import, raising", &init, &import, "raised ", &[])?;
        run(
            self,
            "import, over a node's",
            &lay(filepv(500)?),
            &import,
            ": left at ",
            &[],
        )?;
        run(
            self,
            "import, over tmkms'",
            &lay(tmkms(400)),
            &import,
            "raised ",
            &[],
        )?;
        run(
            self,
            "import, over horcrux'",
            &lay(horcrux(400)),
            &import,
            "raised ",
            &[],
        )?;
        run(
            self,
            "import, of a retired one",
            &retired_new,
            &import,
            "no longer retired",
            &[],
        )?;
        let lowered = [Loaded::Retired(at_start_of_900)];
        run(self, "import, lowering", &high, &force, "LOWERED", &lowered)?;
        run(
            self,
            "import, lowering a node's",
            &lay(filepv(900)?),
            &force,
            "LOWERED",
            &[],
        )?;
        run(
            self,
            "import, lowering a retired one",
            &retired_900,
            &force,
            "LOWERED",
            &[],
        )?;
        for format in ["filepv", "tmkms"] {
            let export = ["export", CHAIN, "OUTPUT", "-f", format];
            run(self, "export", &signed, &export, ": exported to ", &[])?;
            run(
                self,
                "export, once more",
                &signed_and_retired,
                &export,
                ": exported to ",
                &[],
            )?;
            if format == "tmkms" {
                run(
                    self,
                    "export, over a file",
                    &over,
                    &export,
                    ": exported to ",
                    &[],
                )?;
            }
            let keep = ["export", CHAIN, "OUTPUT", "-f", format, "--keep"];
            run(self, "export --keep", &signed, &keep, ": exported to ", &[])?;
        }
        run(
            self,
            "retire",
            &signed,
            &["retire", CHAIN],
            ": retired at ",
            &[],
        )?;
        Ok(count)
    }

    fn keys(&mut self) -> Result<u32, Box<dyn std::error::Error>> {
        let mut count = 0;
        let mut run = |proof: &mut Self,
                       name: &'static str,
                       prepare: &dyn Fn(&Self, &Node, &[&str]) -> Outcome,
                       words: &[&str],
                       done: &'static str,
                       kept: &[&[&str]],
                       between: &[Loaded]| {
            let node = Node::new(&proof.ground.on_disk("command")?, CHAIN)?;
            let key_file = node.home.key_file(CHAIN).display().to_string();
            let passphrase = node.home.path("passphrase");
            fs::write(&passphrase, PASSPHRASE)?;
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(&passphrase, private)?;
            let input = node_files(&node.home.path(""))?;
            fs::set_permissions(&input, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            let passphrase = passphrase.display().to_string();
            let sealing = [WORK[0], WORK[1], "--passphrase-file", &passphrase];
            prepare(proof, &node, &sealing)?;
            let mut args = vec!["softsign".to_owned()];
            for word in words {
                match *word {
                    "KEY" => args.push(key_file.clone()),
                    "INPUT" => args.push(input.clone()),
                    "SEALING" => args.extend(sealing.map(str::to_owned)),
                    "OPENING" => args.extend(sealing[2..].iter().map(|&word| word.to_owned())),
                    word => args.push(word.to_owned()),
                }
            }
            // A key that is put under a passphrase, or out again, is whole in either form.
            let changes = ["encrypt", "decrypt"].contains(&words[0]);
            let before = fs::read(&key_file).ok();
            let mut order = Order {
                name,
                args,
                done,
                between: between.to_vec(),
                speaks_of_key: true,
                ..Order::default()
            };
            for forms in kept {
                let forms = forms.iter().map(|form| form.as_bytes().to_vec());
                order.kept.push(forms.collect());
            }
            order.kept.extend(before.map(|before| vec![before]));
            let [.., last] = order.kept.as_mut_slice() else {
                count += 1;
                return proof.command(&node, &order);
            };
            if changes {
                // What it is going to be is known once it is: the command fills it in.
                last.push(Vec::new());
            }
            count += 1;
            proof.command(&node, &order)
        };
        let key_file = |node: &Node| node.home.key_file(CHAIN).display().to_string();
        let nothing =
            |_: &Self, node: &Node, _: &[&str]| Ok(fs::remove_file(node.home.key_file(CHAIN))?);
        let new = |proof: &Self, node: &Node, _: &[&str]| {
            fs::remove_file(node.home.key_file(CHAIN))?;
            proof.run_to_its_end(node, &["softsign", "keygen", &key_file(node)])
        };
        let sealed = |proof: &Self, node: &Node, sealing: &[&str]| {
            new(proof, node, sealing)?;
            let key_file = key_file(node);
            let words = [&["softsign", "encrypt", &key_file], sealing].concat();
            proof.run_to_its_end(node, &words)
        };
        let used = |proof: &Self, node: &Node, _: &[&str]| node.init(proof.ground);
        let used_and_sealed = |proof: &Self, node: &Node, sealing: &[&str]| {
            node.init(proof.ground)?;
            let key_file = key_file(node);
            let words = [&["softsign", "encrypt", &key_file], sealing].concat();
            proof.run_to_its_end(node, &words)
        };
        // Without its key's own mark nothing begins.
        let void = [Loaded::Missing];
        let begins = "will begin the state";
        run(
            self,
            "keygen",
            &nothing,
            &["keygen", "KEY"],
            begins,
            &[],
            &[],
        )?;
        run(
            self,
            "keygen, over another",
            &new,
            &["keygen", "KEY"],
            begins,
            &[],
            &void,
        )?;
        let words = ["keygen", "-e", "SEALING", "KEY"];
        run(
            self,
            "keygen -e, over another",
            &new,
            &words,
            begins,
            &[],
            &void,
        )?;
        let words = ["import", "INPUT", "KEY"];
        run(self, "import of a key", &nothing, &words, begins, &[], &[])?;
        run(
            self,
            "import, over another key",
            &new,
            &words,
            begins,
            &[],
            &void,
        )?;
        let words = ["import", "-e", "SEALING", "INPUT", "KEY"];
        run(
            self,
            "import -e, over another key",
            &new,
            &words,
            begins,
            &[],
            &void,
        )?;
        let words = ["encrypt", "SEALING", "KEY"];
        let over = "the bytes that lay there were overwritten";
        run(
            self,
            "encrypt, of a new key",
            &new,
            &words,
            over,
            &[],
            &void,
        )?;
        run(
            self,
            "encrypt, of one in use",
            &used,
            &words,
            over,
            &[],
            &[],
        )?;
        let words = ["decrypt", "OPENING", "KEY"];
        let shown = "address";
        run(
            self,
            "decrypt, of a new key",
            &sealed,
            &words,
            shown,
            &[],
            &void,
        )?;
        run(
            self,
            "decrypt, of one in use",
            &used_and_sealed,
            &words,
            shown,
            &[],
            &[],
        )?;
        Ok(count)
    }

    fn state(&self, node: &Node, words: &[&str]) -> Outcome {
        let config = node.home.config();
        let config = ["-c", config.to_str().ok_or("no text")?];
        let words = [&["state", words[0]], &config[..], &words[1..]].concat();
        self.run_to_its_end(node, &words)
    }

    /// Traces one command, cuts it, and runs it again after cuts.
    fn command(&mut self, node: &Node, order: &Order) -> Outcome {
        self.command_in(node, &layout(node), order)
    }

    fn command_in(&mut self, node: &Node, layout: &Layout, order: &Order) -> Outcome {
        let name = order.name;
        let before = Disk::of(&layout.root)?;
        let initial = self.now(&before, layout)?;
        let log = self.ground.on_disk("logs")?.join("command.log");
        let args: Vec<&str> = order.args.iter().map(String::as_str).collect();
        let output = trace::run(&log, &[], self.ground.binary(), &args)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || !said.contains(order.done) {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{name}: {said}{complaint}").into());
        }
        let events = trace::read(&log)?;
        let mut after = before.clone();
        events.iter().for_each(|event| after.apply(event));
        let reached = self.now(&after, layout)?;
        let end = Disk::of(&layout.root)?.newest(&layout.root).into_files();
        if after.newest(&layout.root).into_files() != end {
            return Err(format!("{name}: the trace does not tell all that it did").into());
        }
        let mut order = Order {
            args: order.args.clone(),
            between: order.between.clone(),
            kept: order.kept.clone(),
            handed: order.handed.clone(),
            ..*order
        };
        for form in order
            .kept
            .iter_mut()
            .flatten()
            .filter(|form| form.is_empty())
        {
            *form = end.get(&layout.key).ok_or("no key")?.clone();
        }
        let rule = Commands {
            order: &order,
            key: &layout.key,
            initial,
            reached,
            end: &end,
            has_spoken: false,
            is_done: false,
        };
        self.walk(&before, &events, layout, rule.clone())
            .map_err(|error| format!("{name}: {error}"))?;
        self.without_flushes(&before, &events, layout, &rule)?;
        self.run_again(&before, &events, node, layout, &rule)
    }

    /// Without its flushes, of files or of directories, each command must be found out.
    fn without_flushes(
        &mut self,
        before: &Disk,
        events: &[Event],
        layout: &Layout,
        rule: &Commands<'_>,
    ) -> Outcome {
        let is_folder = |path: &Path| {
            layout.state.parent() == Some(path)
                || layout.key.parent() == Some(path)
                || layout.root == path
        };
        for (fault, of_folders) in [("no flush of a file", false), ("of a directory", true)] {
            let is_one = |event: &Event| {
                matches!(event, Event::Sync(path, _)
                    if path.starts_with(&layout.root) && is_folder(path) == of_folders)
            };
            // What opening flushes again was flushed before, here.
            let changes = events
                .iter()
                .any(|event| matches!(event, Event::Rename(..)));
            if !events.iter().any(is_one) || of_folders && !changes {
                continue;
            }
            let mut careless = events.to_vec();
            careless.retain(|event| !is_one(event));
            let fault = format!("{}: {fault}", rule.order.name);
            self.must_fail(&fault, before, &careless, layout, rule.clone())?;
        }
        Ok(())
    }

    /// After a cut at any moment the real program, given the same command, ends where it should have, or
    /// refuses and loses nothing.
    fn run_again(
        &mut self,
        before: &Disk,
        events: &[Event],
        node: &Node,
        layout: &Layout,
        rule: &Commands<'_>,
    ) -> Outcome {
        let Order { name, args, .. } = rule.order;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let root = &layout.root;
        for _ in 0..self.again_each {
            let moment = self.rng.below(events.len() as u64 + 1) as usize;
            let mut disk = before.clone();
            events[..moment].iter().for_each(|event| disk.apply(event));
            let cut = disk.cut(root, &mut self.rng);
            for (path, _) in Disk::of(root)?.newest(root).iter() {
                fs::remove_file(path)?;
            }
            for (path, bytes) in cut.iter() {
                fs::create_dir_all(path.parent().ok_or("no directory")?)?;
                fs::write(path, bytes)?;
                let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                fs::set_permissions(path, private)?;
            }
            let output = node.home.run(self.ground.binary(), &args)?;
            let complaint = String::from_utf8_lossy(&output.stderr);
            let loaded = load(&layout.state)?;
            let files = Disk::of(root)?.newest(root);
            let is_well = if rule.order.repeats {
                output.status.success() && loaded == rule.reached
            } else {
                output.status.success() || !complaint.is_empty()
            };
            let is_kept = rule.order.kept.iter().all(|forms| {
                // Under a passphrase it is other bytes each time.
                forms.len() > 1 || is_somewhere(files.iter(), forms)
            });
            if !is_well || !is_kept {
                return Err(format!(
                    "{name}, cut after {moment} of {} calls, run again: {loaded:?}, {complaint}",
                    events.len(),
                )
                .into());
            }
            self.again += 1;
        }
        Ok(())
    }

    /// What a disk says as a process would read it.
    fn now(&mut self, disk: &Disk, layout: &Layout) -> Result<Loaded, Box<dyn std::error::Error>> {
        self.bench.load(disk, &disk.newest(&layout.root), layout)
    }
}
