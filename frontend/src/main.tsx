import { render } from "preact";
import { App } from "./app";
import { listen } from "./keys";

listen();
render(<App />, document.getElementById("page")!);
