/** The widget on the page: its place in the page, its look, the button, and when the panel is open. */

import { Api, type Server } from "../api";
import { paletteOf, type Theme } from "../colours";
import { Conversation } from "../conversation";
import { chooseLanguage, directionOf, fill, type Language, type Texts, textsOf } from "../language";
import type { Options } from "../options";
import { Store } from "../storage";
import { asTrouble, type Trouble } from "../trouble";
import type { Settings } from "../types";
import { make } from "./dom";
import { icon } from "./icons";
import { keepFocusIn } from "./focus";
import { Panel } from "./panel";
import { attach, setPalette } from "./root";

export class Widget {
  private readonly language: Language;
  private readonly texts: Texts;
  private readonly store: Store;
  private readonly api: Server;
  private readonly conversation: Conversation;
  private readonly panel: Panel;
  private readonly launcher: HTMLButtonElement;
  private readonly root: HTMLElement;
  private readonly shadow: ShadowRoot;
  private readonly prefersDark = matchMedia("(prefers-color-scheme: dark)");
  private settings: Settings | null = null;
  private loading: Promise<Settings> | null = null;
  private prepared: Promise<boolean> | null = null;
  private returnFocusTo: HTMLElement | null = null;

  constructor(
    private readonly options: Options,
    private readonly warnOwner: (text: string) => void,
    preview?: Server,
  ) {
    this.language = chooseLanguage(options.language, document.documentElement.lang, ...navigator.languages);
    this.texts = textsOf(this.language);
    this.store = new Store(options.key);
    this.api = preview ?? new Api(options.base, options.key, this.store);
    this.conversation = new Conversation(this.api, this.store, this.language, (turn) =>
      this.panel.show(turn),
    );
    this.panel = new Panel(this.conversation, this.texts, this.language, {
      ask: (question) => this.ask(question),
      clear: () => this.conversation.clear(),
      close: () => this.close(),
      reload: () => void this.prepare(),
    });
    this.launcher = make("button", {
      type: "button",
      class: "launcher",
      "aria-haspopup": "dialog",
      "aria-expanded": "false",
    });
    this.launcher.addEventListener("click", () => this.open());
    this.root = make("div", { class: "root", lang: this.language, dir: directionOf(this.language) });
    this.root.append(this.launcher, this.panel.element);
    this.shadow = attach(this.root);
    keepFocusIn(this.panel.element, this.shadow, () => this.close());
    this.prefersDark.addEventListener("change", () => this.showLook());
    this.showLook();
  }

  /** Get the look; open where the tag or the page before says so, without taking the focus from the page. */
  async start(): Promise<void> {
    await this.load().catch((error: unknown) => this.complain(asTrouble(error)));
    this.root.classList.add("ready");
    const isWide = !matchMedia("(max-width: 600px)").matches; // on a phone it would cover the page
    const mayCover = isWide || this.options.key === ""; // a preview is the page
    if (this.store.wasOpen ?? (this.options.open && mayCover)) this.openPanel();
  }

  /** Show the look anew: it has changed. */
  async refresh(): Promise<void> {
    const settings = await this.load();
    if (this.conversation.turns.length === 0) await this.suggest(settings.suggestions);
  }

  open(): void {
    if (!this.panel.element.hidden) return;
    this.returnFocusTo = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    this.openPanel();
    this.panel.focus();
  }

  close(): void {
    if (this.panel.element.hidden) return;
    const hadFocus = this.shadow.activeElement !== null;
    this.panel.element.hidden = true;
    this.launcher.hidden = false;
    this.launcher.setAttribute("aria-expanded", "false");
    this.store.leave(false);
    if (!hadFocus) return;
    const isOfPage =
      this.returnFocusTo !== null && this.returnFocusTo !== document.body && this.returnFocusTo.isConnected;
    if (isOfPage && this.returnFocusTo !== this.shadow.host) this.returnFocusTo?.focus();
    else this.launcher.focus();
  }

  ask(question: string): void {
    const asked = question.trim();
    this.open();
    if (asked === "") return;
    this.panel.focus(); // the suggestion that was pressed is gone
    void this.prepare().then((isReady) => (isReady ? this.conversation.ask(asked) : undefined));
  }

  private openPanel(): void {
    this.panel.element.hidden = false;
    this.launcher.hidden = true;
    this.launcher.setAttribute("aria-expanded", "true");
    this.store.leave(true);
    this.panel.scrollToEnd();
    void this.prepare();
  }

  /** What the panel needs before a question can be asked: the look, and the conversation of the page before. */
  private prepare(): Promise<boolean> {
    this.prepared ??= this.prepareOnce().catch((error: unknown) => {
      this.prepared = null;
      this.complain(asTrouble(error));
      return false;
    });
    return this.prepared;
  }

  private async prepareOnce(): Promise<boolean> {
    this.panel.showLoading(this.store.get("session") !== null);
    const settings = this.settings ?? (await this.load());
    await this.conversation.restore();
    this.panel.showLoading(false);
    if (this.conversation.turns.length === 0) void this.suggest(settings.suggestions);
    return true;
  }

  /** Questions that fit the visitor's language; where the server names none, those that the owner has chosen. */
  private async suggest(own: readonly string[]): Promise<void> {
    const found = await this.api.suggestions(this.language).catch(() => []);
    this.panel.showSuggestions(found.length > 0 ? found : own);
  }

  private load(): Promise<Settings> {
    this.loading ??= this.loadSettings().finally(() => (this.loading = null));
    return this.loading;
  }

  private async loadSettings(): Promise<Settings> {
    this.settings = await this.api.settings();
    this.panel.showSettings(this.settings);
    this.showLook();
    return this.settings;
  }

  private complain(trouble: Trouble): void {
    this.panel.showTrouble(trouble);
    this.warnOwner(trouble.detail + (trouble.kind === "offline" ? HINT_OFFLINE : ""));
  }

  private showLook(): void {
    const { options, settings } = this;
    const wanted = options.theme ?? settings?.theme ?? "auto";
    const theme: Theme =
      wanted === "dark" || (wanted !== "light" && this.prefersDark.matches) ? "dark" : "light";
    this.root.dataset["theme"] = theme;
    this.root.dataset["position"] = options.position ?? settings?.position ?? "end";
    setPalette(this.shadow, paletteOf(options.accent ?? settings?.accent ?? "", theme));
    const words = settings?.launcher_text ?? "";
    const name = settings?.title || settings?.chatbot_name || this.texts.name;
    this.launcher.replaceChildren(icon("chat"), ...(words ? [make("bdi", {}, words)] : []));
    // With words on it the button is called as it reads, so that it can be spoken to.
    if (words) this.launcher.removeAttribute("aria-label");
    else this.launcher.setAttribute("aria-label", fill(this.texts.open, { name }));
  }
}

const HINT_OFFLINE =
  ". If the server can be reached, does the page's Content-Security-Policy allow it in connect-src?";
